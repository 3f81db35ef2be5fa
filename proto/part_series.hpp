// Long blobs travel as a series of parts, because a frame's length is bounded. A part is a message
// whose header is kPartMagic and the bytes still to come, itself included (8 bytes, big-endian);
// the message that the blob belongs to follows with the last part as its blob.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proto/blob.hpp"
#include "proto/clock.hpp"
#include "proto/ids.hpp"
#include "proto/limits.hpp"

namespace fanmill {

// No header begins so: c1 is unused in msgpack.
inline constexpr std::string_view kPartMagic = "\xc1part";
inline constexpr std::size_t kPartHeaderBytes = 5 + 8;

std::string part_header(std::uint64_t remaining);
inline bool is_part(std::string_view header) { return header.starts_with(kPartMagic); }

// Puts series together again, for several peers that take turns. Not thread-safe.
class PartSeries {
 public:
  // A part is kept; false: it was dropped with its series, because it does not fit or because too
  // many series are open.
  bool add_part(PeerId peer, std::string_view header, std::string_view bytes, MonoTime now);
  // The blob of a message: `last` itself when the peer has no series open, else the whole blob;
  // nothing if the series does not end here (it is dropped, and the message should be).
  std::optional<Blob> finish(PeerId peer, Blob last);
  bool empty() const { return open_.empty(); }

 private:
  struct Open {
    std::string bytes;
    std::uint64_t remaining{};
    MonoTime last_part;
  };
  bool make_room(MonoTime now);
  std::unordered_map<PeerId, Open> open_;
};

}  // namespace fanmill
