// What a plugin offers: parameters with names and defaults, the types of a callable, the state that
// it takes, and the list of all functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "fanmill/plugin.h"
#include "fanmill/plugin/context.hpp"
#include "fanmill/plugin/text.hpp"
#include "fanmill/plugin/types.hpp"

// No symbol of this is shared with another plugin of the same process.
#pragma GCC visibility push(hidden)
namespace fanmill::inline plugin_abi1 {

// The name of a parameter, and its default: arg("y") = 2.0.
class arg {
 public:
  arg(const char* name) : name_(name) {}  // NOLINT: "x" alone is a name too
  template <class T>
  arg&& operator=(const T& value) && {  // NOLINT
    std::string packed;
    detail::Packer packer(packed);
    detail::Codec<std::decay_t<const T>>::write(packer, value);
    default_ = std::move(packed);
    return std::move(*this);
  }

  const std::string& name() const { return name_; }
  const std::optional<std::string>& packed_default() const { return default_; }

 private:
  std::string name_;
  std::optional<std::string> default_;
};

namespace detail {

// ---- state ----
// One object per type and executor, made by the first call of a function that takes it.
template <class T>
struct StateOf {
  static inline std::function<T()> make;
  static T& get() {
    static std::unique_ptr<T> kept;
    if (!kept) kept = make ? std::make_unique<T>(make()) : make_default();
    return *kept;
  }
  static std::unique_ptr<T> make_default() {
    if constexpr (std::is_default_constructible_v<T>) {
      return std::make_unique<T>();
    } else {
      throw std::logic_error("a state without default constructor needs FANMILL_STATE");
    }
  }
};

// ---- the types of a callable ----
template <class F>
struct CallableTraits : CallableTraits<decltype(&F::operator())> {};
template <class R, class... A>
struct CallableTraits<R (*)(A...)> {
  using Result = R;
  using Parameters = std::tuple<std::type_identity<A>...>;
};
template <class R, class... A>
struct CallableTraits<R (*)(A...) noexcept> : CallableTraits<R (*)(A...)> {};
template <class C, class R, class... A>
struct CallableTraits<R (C::*)(A...)> : CallableTraits<R (*)(A...)> {};
template <class C, class R, class... A>
struct CallableTraits<R (C::*)(A...) const> : CallableTraits<R (*)(A...)> {};
template <class C, class R, class... A>
struct CallableTraits<R (C::*)(A...) noexcept> : CallableTraits<R (*)(A...)> {};
template <class C, class R, class... A>
struct CallableTraits<R (C::*)(A...) const noexcept> : CallableTraits<R (*)(A...)> {};

template <class P>
inline constexpr bool kIsContext = std::is_same_v<std::remove_cvref_t<P>, Context>;
template <class P>
inline constexpr bool kIsState =
    std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>> && !kIsContext<P>;
template <class P>
inline constexpr bool kIsArgument = !kIsContext<P> && !kIsState<P>;

struct None {};
template <class P>
using Storage = std::conditional_t<kIsArgument<P>, std::remove_cvref_t<P>, None>;

// ---- offering ----
struct ParameterInfo {
  std::string name;
  std::string type;
  std::optional<std::string> packed_default;
};

// What a function offers; made while the library is loaded, and kept.
struct Offered {
  fanmill_function abi{};
  std::string name;
  std::string signature;
  std::vector<ParameterInfo> parameters;
  std::size_t required = 0;
  std::string error;
};

struct Registry {
  std::vector<std::shared_ptr<Offered>> offered;
  std::vector<const fanmill_function*> table;
  std::string error;
  fanmill_plugin plugin{};
};
inline Registry& registry() {
  static Registry kept;
  return kept;
}

// The names and defaults that were given, over those that the source tells.
inline void name_parameters(Offered& offered, std::initializer_list<arg> given) {
  auto& parameters = offered.parameters;
  const auto refuse = [&](const std::string& why) {
    if (offered.error.empty()) offered.error = offered.name + ": " + why;
  };
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].name.empty()) parameters[i].name = "arg" + std::to_string(i + 1);
  }
  std::size_t next = 0;
  const bool all = given.size() == parameters.size();
  if (given.size() > parameters.size()) refuse("more names than parameters");
  for (const arg& one : given) {
    std::size_t at = next;
    if (!all) {
      for (at = 0; at < parameters.size() && parameters[at].name != one.name(); ++at) {
      }
    }
    if (at >= parameters.size()) {
      refuse("arg(\"" + one.name() + "\") is none of its parameters");
      return;
    }
    parameters[at].name = one.name();
    parameters[at].packed_default = one.packed_default();
    ++next;
  }
}

inline void write_signature(Offered& offered, const std::string& result) {
  offered.signature = "(";
  for (const ParameterInfo& parameter : offered.parameters) {
    if (offered.signature.size() > 1) offered.signature += ", ";
    offered.signature += parameter.name + ": " + parameter.type;
    if (!parameter.packed_default) {
      ++offered.required;
      continue;
    }
    offered.signature += " = ";
    Cursor cursor(*parameter.packed_default);
    if (!append_json(offered.signature, cursor, SIZE_MAX) && offered.error.empty()) {
      offered.error = offered.name + ": the default of " + parameter.name + " has no JSON";
    }
  }
  offered.signature += ") -> " + result;
}

}  // namespace detail
}  // namespace fanmill::inline plugin_abi1
#pragma GCC visibility pop
