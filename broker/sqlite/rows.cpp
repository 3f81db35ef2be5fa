#include "broker/sqlite/rows.hpp"

// A header is enough of the library here.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>

#include "proto/describe.hpp"
#include "proto/fields.hpp"
#include "proto/wire.hpp"

namespace fanmill::broker::sqlite {

constexpr std::size_t kDigestBytesMax = 1024;

template <class A, wire::Of<JobHead> M>
void describe(A& a, M& m) {
  a(m.key, m.options);
}
template <class A, wire::Of<JobState> M>
void describe(A& a, M& m) {
  a(m.closed, m.total, m.cancelled, m.held, m.ordered, m.order, m.horizon, m.next_index,
    m.accepted_bytes, wire::at_most(m.digest, kDigestBytesMax),
    wire::at_most(m.signature, limits::kSignatureBytesMax), m.cancel_grace_ms,
    wire::clipped(m.halted, limits::kFailureMessageMax));
}
template <class A, wire::Of<ChunkHead> M>
void describe(A& a, M& m) {
  a(m.count, wire::at_most(m.blocks, limits::kChunkBlocksMax));
}
template <class A, wire::Of<RecordHead> M>
void describe(A& a, M& m) {
  a(m.batch_first, m.batch_count, m.valid, m.outcome, m.dead_lettered, m.token, m.attempt,
    wire::at_most(m.worker, kWorkerTextMax), m.values_bytes, m.run_ns, m.blob_bytes, m.rows_end);
}
template <class A, wire::Of<ChargeHead> M>
void describe(A& a, M& m) {
  a(m.failures, m.crashes, m.losses, m.token, m.refunded);
}
template <class A, wire::Of<RoundHead> M>
void describe(A& a, M& m) {
  a(m.tasks, m.token, m.after);
}

namespace {

constexpr std::size_t kSealBytes = sizeof(std::uint64_t);

template <class Head>
std::string sealed(const Head& head) {
  std::string bytes;
  wire::FieldWriter writer(bytes);
  describe(writer, head);
  const std::uint64_t sum = XXH3_64bits(bytes.data(), bytes.size());
  for (std::size_t i = 0; i < kSealBytes; ++i)
    bytes.push_back(static_cast<char>(sum >> (8 * i) & 0xffU));
  return bytes;
}

template <class Head>
Result<void> opened(std::string_view bytes, Head& head) {
  if (bytes.size() <= kSealBytes) return fail(ErrorCode::kMalformedInput, "a row is cut short");
  const std::string_view front = bytes.substr(0, bytes.size() - kSealBytes);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kSealBytes; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[front.size() + i]);
    sum |= std::uint64_t{byte} << (8 * i);
  }
  if (sum != XXH3_64bits(front.data(), front.size()))
    return fail(ErrorCode::kMalformedInput, "the checksum of a row is wrong");
  return wire::guarded("a row", [&] {
    wire::Reader reader(front);
    wire::FieldReader fields(reader, reader.array(64));
    describe(fields, head);
    reader.expect_end();
  });
}

}  // namespace

std::string seal(const JobHead& head) { return sealed(head); }
std::string seal(const JobState& state) { return sealed(state); }
std::string seal(const ChunkHead& head) { return sealed(head); }
std::string seal(const RecordHead& head) { return sealed(head); }
std::string seal(const ChargeHead& head) { return sealed(head); }
std::string seal(const RoundHead& head) { return sealed(head); }

Result<void> unseal(std::string_view bytes, JobHead& head) { return opened(bytes, head); }
Result<void> unseal(std::string_view bytes, JobState& state) { return opened(bytes, state); }
Result<void> unseal(std::string_view bytes, ChunkHead& head) { return opened(bytes, head); }
Result<void> unseal(std::string_view bytes, RecordHead& head) { return opened(bytes, head); }
Result<void> unseal(std::string_view bytes, ChargeHead& head) { return opened(bytes, head); }
Result<void> unseal(std::string_view bytes, RoundHead& head) { return opened(bytes, head); }

std::int64_t blob_checksum(JobId job, std::uint64_t number, std::string_view bytes) {
  const std::uint64_t place = digest_of({0, job.value ^ digest_of({1, number})});
  return std::bit_cast<std::int64_t>(
      static_cast<std::uint64_t>(XXH3_64bits_withSeed(bytes.data(), bytes.size(), place)));
}

}  // namespace fanmill::broker::sqlite
