#include <fanmill/plugin.hpp>

FANMILL_FUNCTION(identity, [](fanmill::Packed value) { return value; })
