// Ranges and generators as the Input of a job: pulled one tuple at a time, by the thread that
// iterates over the job.
#pragma once

#include <concepts>
#include <fanmill/detail/engine.hpp>
#include <fanmill/detail/pack_types.hpp>
#include <functional>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

namespace fanmill::client {

struct PackTuple {
  template <class T>
  void operator()(std::string& out, const T& v) const {
    pack::tuple(out, v);
  }
};
struct PackSingle {
  template <class T>
  void operator()(std::string& out, const T& v) const {
    pack::single(out, v);
  }
};

template <class Made>
inline constexpr bool kIsMaybe = false;
template <class T>
inline constexpr bool kIsMaybe<std::optional<T>> = true;

// A callable that makes one tuple after the other, and nullopt at their end.
template <class G>
concept Generator = std::invocable<std::remove_reference_t<G>&> &&
                    kIsMaybe<std::invoke_result_t<std::remove_reference_t<G>&>>;
template <class R>
concept InputRange = std::ranges::input_range<R> && !std::is_array_v<std::remove_cvref_t<R>>;

template <class View, class Pack>
class RangeInput : public Input {
 public:
  explicit RangeInput(View view) : view_(std::move(view)) {}

  bool fill(TupleSink& sink) override {
    if (!at_) {
      at_.emplace(std::ranges::begin(view_));
    } else if (at_used_) {
      // Only now: a range that waits for its next element must not keep back the one before.
      at_used_ = false;
      ++*at_;
    }
    const auto end = std::ranges::end(view_);
    for (auto& at = *at_; at != end; ++at) {
      put(sink, *at);
      if (!sink.tuple_done()) {
        at_used_ = true;
        return true;
      }
    }
    return false;
  }

 private:
  template <class Element>
  static void put(TupleSink& sink, Element&& element) {
    // A proxy (of std::vector<bool>, say) is taken for the value that it stands for.
    using Value = std::ranges::range_value_t<View>;
    if constexpr (std::same_as<std::remove_cvref_t<Element>, Value>) {
      Pack()(sink.begin_tuple(), element);
    } else {
      const auto value = static_cast<Value>(std::forward<Element>(element));
      Pack()(sink.begin_tuple(), value);
    }
  }
  View view_;
  std::optional<std::ranges::iterator_t<View>> at_;
  bool at_used_ = false;
};

template <class Make, class Pack>
class GeneratorInput : public Input {
 public:
  explicit GeneratorInput(Make make) : make_(std::move(make)) {}
  bool fill(TupleSink& sink) override {
    while (auto made = make_()) {
      Pack()(sink.begin_tuple(), *made);
      if (!sink.tuple_done()) return true;
    }
    return false;
  }

 private:
  Make make_;
};

template <class Pack, class Source>
std::unique_ptr<Input> make_input(Source&& source) {
  if constexpr (Generator<Source>) {
    return std::make_unique<GeneratorInput<std::remove_cvref_t<Source>, Pack>>(
        std::forward<Source>(source));
  } else {
    using View = std::views::all_t<Source>;
    return std::make_unique<RangeInput<View, Pack>>(std::views::all(std::forward<Source>(source)));
  }
}

}  // namespace fanmill::client
