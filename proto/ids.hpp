// Strong ids: every number that names something has a type of its own, so that swapping two does
// not compile.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace fanmill {

template <class Tag, class Rep>
struct StrongId {
  Rep value{};
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
};

// Assigned by the broker: (epoch << 32) | counter; never reused, not even by a later life of the
// broker.
using JobId = StrongId<struct JobIdTag, std::uint64_t>;
// One connection of one peer, from WELCOME until either side ends it. Zero: no session yet.
using SessionId = StrongId<struct SessionIdTag, std::uint64_t>;
// Drawn at random once per process start of a producer or worker; survives its reconnects.
using InstanceId = StrongId<struct InstanceIdTag, std::uint64_t>;
// A transport address (the routing id of a ROUTER socket); means nothing beyond one connection.
using PeerId = StrongId<struct PeerIdTag, std::uint64_t>;
// One recorded batch of results of a job, numbered from 1 in the order of recording.
using RecordId = StrongId<struct RecordIdTag, std::uint64_t>;

// Position of a task in its job, from 0 in input order.
struct TaskIndex {
  std::uint64_t value{};
  friend constexpr auto operator<=>(TaskIndex, TaskIndex) = default;
  friend constexpr TaskIndex operator+(TaskIndex i, std::uint64_t n) { return {i.value + n}; }
  friend constexpr std::uint64_t operator-(TaskIndex a, TaskIndex b) { return a.value - b.value; }
};

// Tasks [first, first + count). An empty range has count 0; its `first` is then without meaning.
struct IndexRange {
  TaskIndex first;
  std::uint64_t count{};
  constexpr TaskIndex end() const { return first + count; }
  constexpr bool empty() const { return count == 0; }
  constexpr bool contains(TaskIndex i) const { return i >= first && i < end(); }
  friend constexpr bool operator==(const IndexRange&, const IndexRange&) = default;
};

// Names one lease for ever: the epoch rises with every life of the broker, the counter with every
// lease.
struct AttemptToken {
  std::uint32_t epoch{};
  std::uint64_t counter{};
  friend constexpr auto operator<=>(const AttemptToken&, const AttemptToken&) = default;
};

// Mixes a token for the digest of what a worker holds (xor of all its tokens). splitmix64's
// finaliser, by S. Vigna.
constexpr std::uint64_t digest_of(AttemptToken token) {
  std::uint64_t x = token.counter + (std::uint64_t{token.epoch} << 40) + 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

}  // namespace fanmill

template <class Tag, class Rep>
struct std::hash<fanmill::StrongId<Tag, Rep>> {
  std::size_t operator()(fanmill::StrongId<Tag, Rep> id) const {
    return std::hash<Rep>{}(id.value);
  }
};
template <>
struct std::hash<fanmill::TaskIndex> {
  std::size_t operator()(fanmill::TaskIndex i) const { return std::hash<std::uint64_t>{}(i.value); }
};
template <>
struct std::hash<fanmill::AttemptToken> {
  std::size_t operator()(fanmill::AttemptToken t) const { return fanmill::digest_of(t); }
};
