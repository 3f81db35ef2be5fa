// The packing of the installed headers, under the name that sources and the client use.
#pragma once

#include <fanmill/detail/pack.hpp>
#include <fanmill/detail/pack_types.hpp>

namespace fanmill::producer {
namespace pack = ::fanmill::pack;
}
