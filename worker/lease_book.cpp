#include "worker/lease_book.hpp"

#include <algorithm>
#include <utility>

#include "proto/limits.hpp"
#include "worker/mutation.hpp"

namespace fanmill::worker {
namespace {
constexpr std::size_t kJobsKept = 1024;
}

TupleSlice HeldLease::tuples(IndexRange tasks) const {
  const ChunkSlice slice = table.slice(skip + (tasks.first - range.first), tasks.count);
  return {blob.slice(slice.offset, slice.bytes), slice.skip};
}

std::uint64_t HeldLease::whole_blocks(TaskIndex first, std::uint64_t count,
                                      std::uint64_t most) const {
  if (count >= most) return most;
  const ChunkSlice slice = table.slice(skip + (first - range.first), count);
  std::uint64_t in_blocks = 0;
  for (const Block& block : table.blocks(slice.first_block, slice.last_block)) {
    in_blocks += block.tuples;
  }
  const std::uint64_t whole = in_blocks - slice.skip;
  return whole <= most && whole - count <= count / 4 ? whole : count;
}

Job* LeaseBook::find_job(JobId id) {
  const auto it = jobs_.find(id);
  return it == jobs_.end() ? nullptr : it->second.get();
}

Job& LeaseBook::learn_job(JobId id, const JobSpec& spec, std::vector<JobId>& forgotten) {
  auto& job = jobs_[id];
  if (!job) {
    job = std::make_unique<Job>();
    job->id = id;
    job->spec = spec;
  }
  job->last_lease = ++clock_;
  Job& known = *job;
  while (jobs_.size() > kJobsKept) {
    auto oldest = jobs_.end();
    for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
      if (it->second->leases != 0 || it->first == id) continue;
      if (oldest == jobs_.end() || it->second->last_lease < oldest->second->last_lease) oldest = it;
    }
    if (oldest == jobs_.end()) break;
    forgotten.push_back(oldest->first);
    jobs_.erase(oldest);
  }
  return known;
}

void LeaseBook::erase_job(JobId id) {
  const auto it = jobs_.find(id);
  FANMILL_ASSERT(it != jobs_.end() && it->second->leases == 0);
  jobs_.erase(it);
}

void LeaseBook::count_received(std::uint64_t tasks, std::uint64_t bytes) {
  received_.tasks += tasks;
  received_.bytes += bytes;
}

HeldLease* LeaseBook::find(AttemptToken token) const {
  const auto it = leases_.find(token);
  return it == leases_.end() ? nullptr : it->second.get();
}

HeldLease& LeaseBook::add(Job& job, const Lease& lease, ChunkTable table, const Blob& blob) {
  const IndexRange range{lease.first, lease.count};
  auto held = std::make_unique<HeldLease>(HeldLease{.job = &job,
                                                    .token = lease.token,
                                                    .range = range,
                                                    .skip = lease.skip,
                                                    .attempt = lease.attempt,
                                                    .table = std::move(table),
                                                    .blob = blob,
                                                    .unreported = RangeSet(range),
                                                    .kept = true});
  HeldLease& added = *held;
  const bool inserted = leases_.emplace(lease.token, std::move(held)).second;
  FANMILL_ASSERT(inserted);
  ++job.leases;
  job.last_lease = ++clock_;
  ++held_count_;
  held_digest_ ^= digest_of(lease.token);
  tasks_ += range.count;
  bytes_ += blob.size();
  return added;
}

void LeaseBook::settle(HeldLease& lease, const std::vector<IndexRange>& tasks) {
  const std::uint64_t before = lease.unreported.count();
  for (const IndexRange& range : tasks) lease.unreported.remove(range);
  tasks_ -= before - lease.unreported.count();
  if (!lease.unreported.empty()) return;
  unkeep(lease);
  --lease.job->leases;
  bytes_ -= lease.blob.size();
  leases_.erase(AttemptToken(lease.token));
}

void LeaseBook::unkeep(HeldLease& lease) {
  if (!lease.kept) return;
  lease.kept = false;
  --held_count_;
  held_digest_ ^= digest_of(lease.token);
}

void LeaseBook::reopen(HeldLease& lease, IndexRange tasks) {
  lease.unreported.add(tasks);
  tasks_ += tasks.count;
}

std::vector<HeldLease*> LeaseBook::leases() {
  std::vector<HeldLease*> all;
  all.reserve(leases_.size());
  for (auto& [token, lease] : leases_) all.push_back(lease.get());
  return all;
}

void LeaseBook::begin_session() { received_ = {}; }

// What an earlier session brought and is not finished takes its share of the window, so that many
// reconnects do not heap up many windows of work. The sum never falls: what is held grows only by
// what is received.
Credit LeaseBook::credit() const {
  if (mutated(Mutation::kCreditForgetsHeld)) {
    return {received_.tasks + window_.tasks, received_.bytes + window_.bytes};
  }
  return {received_.tasks + (window_.tasks > tasks_ ? window_.tasks - tasks_ : 0),
          received_.bytes + (window_.bytes > bytes_ ? window_.bytes - bytes_ : 0)};
}

nanoseconds LeaseBook::longest_expected() const {
  nanoseconds longest{0};
  for (const auto& [id, job] : jobs_) {
    if (job->leases != 0) longest = std::max(longest, job->pace.expected(1));
  }
  return longest;
}

std::vector<AttemptToken> LeaseBook::held() const {
  std::vector<AttemptToken> tokens;
  tokens.reserve(held_count_);
  for (const auto& [token, lease] : leases_) {
    if (lease->kept) tokens.push_back(token);
  }
  return tokens;
}

void LeaseBook::check_invariants() const {
  std::uint64_t held = 0;
  std::uint64_t digest = 0;
  std::uint64_t tasks = 0;
  std::uint64_t bytes = 0;
  std::map<JobId, std::uint64_t> leases;
  for (const auto& [token, lease] : leases_) {
    FANMILL_ASSERT(token == lease->token && !lease->unreported.empty());
    for (const IndexRange& range : lease->unreported.ranges()) {
      FANMILL_ASSERT(range.first >= lease->range.first && range.end() <= lease->range.end());
    }
    if (lease->kept) {
      ++held;
      digest ^= digest_of(token);
    }
    tasks += lease->unreported.count();
    bytes += lease->blob.size();
    ++leases[lease->job->id];
  }
  FANMILL_ASSERT(held == held_count_ && digest == held_digest_);
  FANMILL_ASSERT(tasks == tasks_ && bytes == bytes_);
  for (const auto& [id, job] : jobs_) {
    const auto it = leases.find(id);
    FANMILL_ASSERT(job->id == id && job->leases == (it == leases.end() ? 0 : it->second));
  }
}

Result<ChunkTable> well_formed(const Lease& lease, const Blob& blob) {
  std::uint64_t tuples = 0;
  for (const Block& block : lease.blocks) tuples += block.tuples;
  if (lease.count == 0 || lease.skip > tuples || lease.count > tuples - lease.skip ||
      lease.first.value > ~std::uint64_t{0} - lease.count) {
    return fail(ErrorCode::kProtocol, "a lease names tasks that its blocks do not hold");
  }
  return ChunkTable::make(lease.blocks, tuples, blob.size());
}

}  // namespace fanmill::worker
