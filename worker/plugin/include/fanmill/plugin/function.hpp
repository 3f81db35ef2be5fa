// From a C++ callable to a function of the C ABI: its arguments out of a tuple, its result, its
// exceptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "fanmill/plugin.h"
#include "fanmill/plugin/context.hpp"
#include "fanmill/plugin/offer.hpp"
#include "fanmill/plugin/text.hpp"
#include "fanmill/plugin/types.hpp"

// No symbol of this is shared with another plugin of the same process.
#pragma GCC visibility push(hidden)
namespace fanmill::inline plugin_abi1 {
namespace detail {

// ---- calling ----
inline int failed(const fanmill_host_table* table, void* host, int code, std::string_view text) {
  table->fail(host, text.data(), text.size());
  return code;
}

// Of an exception that is being handled.
inline int failed_by_exception(const fanmill_host_table* table, void* host) {
  try {
    throw;
  } catch (const BadArguments& error) {
    return failed(table, host, FANMILL_BAD_ARGUMENTS, error.what());
  } catch (const std::exception& error) {
    return failed(table, host, FANMILL_FAILED, error.what());
  } catch (...) {
    const std::string type = thrown_type();
    // How a thread is cancelled; to be let through.
    if (type.ends_with("__forced_unwind")) throw;
    return failed(table, host, FANMILL_FAILED, "the function threw a " + type);
  }
}

struct Wrong {
  std::string text;
};

inline std::string takes(const Offered& offered) { return " (it takes " + offered.signature + ")"; }

inline Wrong wrong_count(const Offered& offered, std::uint64_t count) {
  return {offered.name + ": the tuple has " + std::to_string(count) +
          (count == 1 ? " element" : " elements") + takes(offered)};
}

// Puts each element's place into `found`, in one pass. `columns`: the parameter of each element
// of a positional tuple; empty: by position.
inline void find_elements(const Offered& offered, const std::vector<std::size_t>& columns,
                          std::string_view tuple, const char** found) {
  const std::size_t parameters = offered.parameters.size();
  for (std::size_t i = 0; i < parameters; ++i) found[i] = nullptr;
  Cursor cursor(tuple);
  Head head;
  if (!cursor.head(head)) throw Wrong{offered.name + ": no tuple"};
  if (head.kind == Kind::kArray) {
    if (columns.empty() ? head.number > parameters || head.number < offered.required
                        : head.number != columns.size()) {
      throw wrong_count(offered, head.number);
    }
    for (std::size_t i = 0; i < head.number; ++i) {
      const std::size_t parameter = columns.empty() ? i : columns[i];
      if (parameter < parameters) found[parameter] = cursor.at();
      if (!cursor.skip()) throw Wrong{offered.name + ": the tuple ends too early"};
    }
  } else {
    for (std::uint64_t i = 0; i < head.number; ++i) {
      std::string_view name;
      if (head.kind != Kind::kMap || !read_text(cursor, name)) {
        throw Wrong{offered.name + ": no tuple"};
      }
      std::size_t parameter = static_cast<std::size_t>(i);  // most are in order
      if (parameter >= parameters || offered.parameters[parameter].name != name) {
        for (parameter = 0; parameter < parameters; ++parameter) {
          if (offered.parameters[parameter].name == name) break;
        }
      }
      if (parameter == parameters) {
        throw Wrong{offered.name + ": there is no parameter " + std::string(name) + takes(offered)};
      }
      found[parameter] = cursor.at();
      if (!cursor.skip()) throw Wrong{offered.name + ": the tuple ends too early"};
    }
  }
}

template <class F>
class Instance {
  using Traits = CallableTraits<F>;
  using Result = typename Traits::Result;
  using Parameters = typename Traits::Parameters;
  static constexpr std::size_t kCount = std::tuple_size_v<Parameters>;
  using Indexes = std::make_index_sequence<kCount>;
  template <std::size_t I>
  using Parameter = typename std::tuple_element_t<I, Parameters>::type;

 public:
  Instance(const Offered& offered, F& function, const fanmill_binding& binding)
      : offered_(offered), function_(function) {
    columns_.assign(binding.parameter_of_column,
                    binding.parameter_of_column + binding.column_count);
  }

  int call(const fanmill_call& call) {
    try {
      const std::string_view tuple(call.tuple, call.tuple_bytes);
      take_arguments(tuple, Indexes{});
      run(call, Indexes{});
      if (tuple.size() > kKeptMax) storage_.emplace();
      return FANMILL_OK;
    } catch (const Wrong& wrong) {
      return failed(call.table, call.host, FANMILL_BAD_ARGUMENTS, wrong.text);
    } catch (...) {
      return failed_by_exception(call.table, call.host);
    }
  }

  // How many of the first `end` C++ parameters are arguments: the place of the next one.
  static consteval std::size_t arguments_before(std::size_t end) {
    std::size_t count = 0;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((count += I < end && kIsArgument<Parameter<I>> ? 1 : 0), ...);
    }(Indexes{});
    return count;
  }

  static void describe(Offered& offered, std::string_view source,
                       std::initializer_list<arg> given) {
    const std::vector<std::string> names = parameter_names(source);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (describe_one<I>(offered, names), ...);
    }(Indexes{});
    name_parameters(offered, given);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (check_default<I>(offered), ...);
    }(Indexes{});
    if constexpr (std::is_void_v<Result>) {
      write_signature(offered, "null");
    } else {
      write_signature(offered, type_text<std::decay_t<Result>>());
    }
  }

 private:
  static constexpr std::size_t kKeptMax = std::size_t{1} << 20;
  static constexpr std::size_t kArguments = arguments_before(kCount);

  template <std::size_t I>
  static void describe_one(Offered& offered, const std::vector<std::string>& names) {
    if constexpr (kIsArgument<Parameter<I>>) {
      offered.parameters.push_back({names.size() == kCount ? names[I] : std::string(),
                                    type_text<std::remove_cvref_t<Parameter<I>>>(),
                                    {}});
    }
  }
  template <std::size_t I>
  static void check_default(Offered& offered) {
    if constexpr (kIsArgument<Parameter<I>>) {
      const ParameterInfo& parameter = offered.parameters[arguments_before(I)];
      if (!parameter.packed_default || !offered.error.empty()) return;
      Cursor cursor(*parameter.packed_default);
      std::remove_cvref_t<Parameter<I>> value{};
      Misfit misfit;
      if (!read(cursor, value, misfit)) {
        offered.error =
            offered.name + ": the default of " + parameter.name + " is no " + parameter.type;
      }
    }
  }

  template <std::size_t... I>
  void take_arguments(std::string_view tuple, std::index_sequence<I...>) {
    // Positional, all there, in order: read on the way.
    Cursor cursor(tuple);
    Head head;
    if (columns_.empty() && cursor.head(head) && head.kind == Kind::kArray &&
        head.number == kArguments) {
      (take_next<I>(cursor, tuple), ...);
      return;
    }
    const char* found[kArguments + 1];
    find_elements(offered_, columns_, tuple, found);
    (take_found<I>(found, tuple), ...);
  }
  template <std::size_t I>
  void take_next([[maybe_unused]] Cursor& cursor, [[maybe_unused]] std::string_view tuple) {
    if constexpr (kIsArgument<Parameter<I>>) take<I>(cursor, tuple);
  }
  template <std::size_t I>
  void take_found([[maybe_unused]] const char** found, [[maybe_unused]] std::string_view tuple) {
    if constexpr (kIsArgument<Parameter<I>>) {
      const char* const at = found[arguments_before(I)];
      if (at == nullptr) {
        const ParameterInfo& parameter = offered_.parameters[arguments_before(I)];
        if (!parameter.packed_default) {
          throw Wrong{offered_.name + ": the parameter " + parameter.name + " is missing" +
                      takes(offered_)};
        }
        Cursor cursor(*parameter.packed_default);
        take<I>(cursor, *parameter.packed_default);
        return;
      }
      Cursor cursor(tuple);
      cursor.back_to(at);
      take<I>(cursor, tuple);
    }
  }
  template <std::size_t I>
  void take(Cursor& cursor, std::string_view within) {
    const char* const begin = cursor.at();
    Misfit misfit;
    if (read(cursor, std::get<I>(*storage_), misfit)) return;
    const char* const end = within.data() + within.size();
    const auto text = [&](const char* at) {
      return shown({at, static_cast<std::size_t>(end - at)});
    };
    const auto is_int = [&](const char* at) {
      Cursor there({at, static_cast<std::size_t>(end - at)});
      Head head;
      return there.head(head) && (head.kind == Kind::kUint || head.kind == Kind::kInt);
    };
    using T = std::remove_cvref_t<Parameter<I>>;
    const ParameterInfo& parameter = offered_.parameters[arguments_before(I)];
    std::string message = offered_.name + ": " + parameter.name + " should be " +
                          wanted_text<T>(is_int(begin)) + ", not " + text(begin);
    if (misfit.at != begin) {
      message +=
          ": where " + text(misfit.at) + " is, it should be " + misfit.wanted(is_int(misfit.at));
    }
    throw Wrong{std::move(message)};
  }

  template <std::size_t I>
  decltype(auto) pass(Context& context) {
    using P = Parameter<I>;
    if constexpr (kIsContext<P>) {
      return static_cast<Context&>(context);
    } else if constexpr (kIsState<P>) {
      return static_cast<P>(StateOf<std::remove_reference_t<P>>::get());
    } else if constexpr (std::is_lvalue_reference_v<P>) {
      return static_cast<P>(std::get<I>(*storage_));
    } else {
      return std::move(std::get<I>(*storage_));
    }
  }

  template <std::size_t... I>
  void run(const fanmill_call& call, std::index_sequence<I...>) {
    Context context(call);
    Packer packer(value_);
    value_.clear();
    if constexpr (std::is_void_v<Result>) {
      std::invoke(function_, pass<I>(context)...);
      packer.nil();
    } else {
      Codec<std::decay_t<Result>>::write(packer, std::invoke(function_, pass<I>(context)...));
    }
    call.table->append(call.host, value_.data(), value_.size());
    if (value_.capacity() > kKeptMax) std::string().swap(value_);
  }

  template <std::size_t... I>
  static auto storage_of(std::index_sequence<I...>) -> std::tuple<Storage<Parameter<I>>...>;

  const Offered& offered_;
  F& function_;
  std::vector<std::size_t> columns_;
  std::optional<decltype(storage_of(Indexes{}))> storage_{std::in_place};
  std::string value_;
};

// One per function; F is a lambda or other callable, or a pointer to a function.
template <class F>
struct Kept : Offered {
  explicit Kept(F f) : function(std::move(f)) {}
  F function;
};

template <class F>
int create(const fanmill_function* self, const fanmill_binding* binding, void** instance) {
  try {
    auto* kept = static_cast<Kept<F>*>(const_cast<void*>(self->user));
    *instance = new Instance<F>(*kept, kept->function, *binding);
    return FANMILL_OK;
  } catch (...) {
    return failed_by_exception(binding->table, binding->host);
  }
}
template <class F>
int call(const fanmill_function*, void* instance, const fanmill_call* call) {
  return static_cast<Instance<F>*>(instance)->call(*call);
}
template <class F>
void destroy(const fanmill_function*, void* instance) {
  delete static_cast<Instance<F>*>(instance);
}

template <class F>
bool add(const char* name, std::string_view source, F function,
         std::initializer_list<arg> arguments) {
  auto kept = std::make_shared<Kept<F>>(std::move(function));
  kept->name = name;
  Instance<F>::describe(*kept, source, arguments);
  kept->abi = {.size = sizeof(fanmill_function),
               .flags = FANMILL_CHECKS_TUPLES,
               .name = kept->name.c_str(),
               .signature = kept->signature.c_str(),
               .user = kept.get(),
               .create = &create<F>,
               .call = &call<F>,
               .destroy = &destroy<F>};
  Registry& all = registry();
  if (all.error.empty()) all.error = kept->error;
  all.table.push_back(&kept->abi);
  all.offered.push_back(std::move(kept));
  return true;
}

}  // namespace detail
}  // namespace fanmill::inline plugin_abi1
#pragma GCC visibility pop
