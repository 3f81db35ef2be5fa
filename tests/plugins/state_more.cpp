#include "state.hpp"

FANMILL_FUNCTION(calls_elsewhere, [](Counter& counter) { return ++counter.calls; })
