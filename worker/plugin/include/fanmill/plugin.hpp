// A plugin for fanmill in C++20, by this header alone:
//
//   #include <fanmill/plugin.hpp>
//   #include <cmath>
//
//   FANMILL_FUNCTION(norm, [](double x, double y) { return std::hypot(x, y); })
//
//   $ g++ -std=c++20 -O2 -shared -fPIC norm.cpp -o norm.so
//   $ fanmill map --plugin norm.so norm ::: 3 5 :::+ 4 12
//   5.0
//   13.0
//
// FANMILL_FUNCTION(NAME, CALLABLE[, NAMES AND DEFAULTS…])
//   CALLABLE: a lambda, an object with one operator(), or a function. Its C++ types are its
//   signature: what they hold is listed in <fanmill/plugin/types.hpp>, and tuples are checked
//   against them. The parameters are called as the lambda calls them; names and defaults are
//   given, for all parameters in order or for some by name, as
//       FANMILL_FUNCTION(scale, &scale, "x", fanmill::arg("by") = 2.0)
//   It is called by one thread. What it throws ends the task as failed, with what() as the message;
//   fanmill::BadArguments says that the tuple is at fault. What it prints is kept with the task.
//
//   A parameter of type fanmill::Context& is no part of the tuple: attempt, token, deadline,
//   cancellation and log are there (<fanmill/plugin/context.hpp>).
//   A parameter that is another non-const reference is state: one object of that type per
//   executor process, made by its first call and kept for all later ones.
//
// FANMILL_STATE(TYPE, CALLABLE)
//   How that object is made; else by its default constructor. Used by every function of this
//   library that takes a TYPE&. If it throws, the task fails, and the next one tries again. State
//   is not destroyed: an executor simply ends.
//
// Any number of both, in any number of source files of one library.
#pragma once

#include "fanmill/plugin.h"
#include "fanmill/plugin/context.hpp"
#include "fanmill/plugin/function.hpp"
#include "fanmill/plugin/types.hpp"

#define FANMILL_PLUGIN_JOIN_(a, b) a##b
#define FANMILL_PLUGIN_JOIN(a, b) FANMILL_PLUGIN_JOIN_(a, b)

// The source is taken as text too, for the names of the parameters.
#define FANMILL_FUNCTION(NAME, ...)                                                 \
  [[maybe_unused]] static const bool FANMILL_PLUGIN_JOIN(fanmill_function_, NAME) = \
      ::fanmill::detail::Adder{#NAME, #__VA_ARGS__}(__VA_ARGS__);

#define FANMILL_STATE(TYPE, ...)                                                     \
  [[maybe_unused]] static const bool FANMILL_PLUGIN_JOIN(fanmill_state_, __LINE__) = \
      (::fanmill::detail::StateOf<TYPE>::make = __VA_ARGS__, true);

// No symbol of this is shared with another plugin of the same process.
#pragma GCC visibility push(hidden)
namespace fanmill::inline plugin_abi1 {
namespace detail {

struct Adder {
  const char* name;
  const char* source;
  template <class F, class... Arguments>
  bool operator()(F&& function, Arguments&&... arguments) const {
    return add<std::decay_t<F>>(name, source, std::forward<F>(function),
                                {arg(std::forward<Arguments>(arguments))...});
  }
};

}  // namespace detail
}  // namespace fanmill::inline plugin_abi1
#pragma GCC visibility pop

// What the executor looks for. `used`: it is there although nothing here calls it.
extern "C" __attribute__((visibility("default"), used)) inline const fanmill_plugin*
fanmill_plugin_entry() {
  auto& all = ::fanmill::detail::registry();
  all.plugin = {.size = sizeof(fanmill_plugin),
                .abi_major = FANMILL_PLUGIN_ABI_MAJOR,
                .abi_minor = FANMILL_PLUGIN_ABI_MINOR,
                .error = all.error.empty() ? nullptr : all.error.c_str(),
                .function_count = all.table.size(),
                .functions = all.table.data()};
  return &all.plugin;
}
