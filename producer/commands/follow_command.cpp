#include "producer/commands/follow_command.hpp"

#include "producer/commands/broker_option.hpp"
#include "producer/exit_code.hpp"

namespace fanmill::producer {

int at_broker(const std::string& command, const std::string& broker, bool bar,
              const std::function<Result<int>(AtBroker&)>& act) {
  const auto given = required_broker(broker);
  if (!given) return usage_error(command, given.error().message);
  Console console(bar);
  const auto tell = [&](const Error& error) {
    console.note(error.message);
    return exit_code_of(error.code);
  };
  ChannelContext context;
  auto client = connect_to_broker(context, *given);
  if (!client) return tell(client.error());
  Query query(*client, *given);
  AtBroker at{*client, query, console, *given};
  const auto code = act(at);
  return code ? *code : tell(code.error());
}

}  // namespace fanmill::producer
