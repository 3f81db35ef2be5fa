// A default that is not of its parameter's type.
#include <fanmill/plugin.hpp>

FANMILL_FUNCTION(add, [](int x, int by) { return x + by; }, fanmill::arg("by") = "one")
