// State that an executor keeps, shared by the functions of two source files; and the context.
#include "state.hpp"

#include <thread>

FANMILL_STATE(Model, [] {
  Model model;
  model.weight = 10;
  return model;
})
FANMILL_STATE(Broken, []() -> Broken { throw std::runtime_error("no model at /nowhere"); })

FANMILL_FUNCTION(calls, [](Counter& counter) { return ++counter.calls; })
FANMILL_FUNCTION(predict, [](Model& model, Counter& counter, double x) {
  ++counter.calls;
  return model.weight * x;
})
FANMILL_FUNCTION(broken, [](Broken&) {})

FANMILL_FUNCTION(about, [](fanmill::Context& context, int value) {
  return std::tuple(value, context.index(), context.attempt(), context.slot(),
                    to_string(context.token()), context.deadline().has_value());
})
FANMILL_FUNCTION(second_try, [](fanmill::Context& context) {
  if (context.attempt() == 1) throw std::runtime_error("not yet");
  return context.attempt();
})
FANMILL_FUNCTION(says, [](fanmill::Context& context, const std::string& text) {
  context.debug("debug " + text);
  context.warning(text);
})
FANMILL_FUNCTION(seconds_left, [](fanmill::Context& context) {
  const auto left = *context.deadline() - std::chrono::steady_clock::now();
  return std::chrono::duration<double>(left).count();
})
FANMILL_FUNCTION(until_cancelled, [](fanmill::Context& context) {
  while (!context.is_cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return "was cancelled";
})
