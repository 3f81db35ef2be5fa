#include "worker/functions/function.hpp"

namespace fanmill::worker {
namespace {

class Unknown : public Function {
 public:
  explicit Unknown(std::string message) : message_(std::move(message)) {}
  tl::expected<void, Failure> call(Call&) override {
    Failure failure;
    failure.code = ErrorCode::kUnknownFunction;
    failure.message = message_;
    return tl::make_unexpected(std::move(failure));
  }

 private:
  std::string message_;
};

}  // namespace

void Registry::add(FunctionOffer offer, Factory factory, std::string origin) {
  std::string name = offer.name;
  entries_.insert_or_assign(std::move(name),
                            Entry{std::move(offer), std::move(factory), std::move(origin)});
}

const std::string* Registry::origin_of(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second.origin;
}

std::unique_ptr<Function> Registry::bind(const JobSpec& spec) const {
  const auto found = entries_.find(spec.function);
  if (found != entries_.end()) return found->second.factory(spec);
  std::string message = "this worker does not offer the function '" + spec.function + "', only ";
  bool first = true;
  for (const auto& [name, entry] : entries_) {
    if (!first) message += ", ";
    first = false;
    message += name;
  }
  if (spec.function == kCommandFunction) {
    message = "this worker does not run commands: start it with --allow-exec";
  }
  return std::make_unique<Unknown>(std::move(message));
}

std::vector<FunctionOffer> Registry::offers() const {
  std::vector<FunctionOffer> offers;
  for (const auto& [name, entry] : entries_) offers.push_back(entry.offer);
  return offers;
}

}  // namespace fanmill::worker
