// fanmill-kept-job ENDPOINT NAME KEY COUNT [open]: leaves a job of so many tuples [0.0] for `sleep`
// at a broker, which keeps it, and prints its id. With `open` more tuples may follow.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "producer/client.hpp"
#include "proto/job_id.hpp"

int main(int argc, char** argv) {
  using namespace fanmill;
  if (argc < 5) return 2;
  ChannelContext context;
  auto client = producer::Client::connect(context, std::string(argv[1]));
  if (!client) return 3;
  const std::uint64_t count = std::strtoull(argv[4], nullptr, 10);
  producer::Session& session = client->session();
  JobOptions options;
  options.spec.function = "sleep";
  options.name = argv[2];
  const auto job = session.open(argv[3], options, RowOrder::kInput, mono_now());
  bool submitted = false;
  while (true) {
    for (const producer::Notice& notice : client->pump(std::chrono::milliseconds(100))) {
      if (std::holds_alternative<producer::JobRefused>(notice)) return 1;
      if (const auto* opened = std::get_if<producer::Opened>(&notice)) {
        std::puts(to_text(opened->job.job).c_str());
      }
    }
    if (!submitted && session.may_submit(job)) {
      ChunkBuilder chunk;
      for (std::uint64_t i = 0; i < count; ++i) {
        producer::pack::tuple(chunk.bytes(), 0.0);
        chunk.tuple_done();
      }
      if (count > 0) session.submit(job, chunk.take(), mono_now());
      if (argc == 5) session.close(job, mono_now());
      submitted = true;
    }
    if (submitted && session.accepted(job) == count) break;
  }
  return 0;
}
