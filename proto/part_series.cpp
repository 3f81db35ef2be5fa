#include "proto/part_series.hpp"

#include <algorithm>
#include <utility>

namespace fanmill {
namespace {

constexpr std::size_t kOpenMax = 8;
// A series is sent in one go; one that rests so long has lost its sender.
constexpr auto kAbandonedAfter = std::chrono::seconds(5);

std::uint64_t remaining_of(std::string_view header) {
  std::uint64_t remaining = 0;
  for (const char byte : header.substr(kPartMagic.size())) {
    remaining = remaining << 8 | static_cast<unsigned char>(byte);
  }
  return remaining;
}

// Memory follows what has arrived, not what was announced.
void append_growing(std::string& bytes, std::string_view more, std::uint64_t total) {
  const std::size_t needed = bytes.size() + more.size();
  if (needed > bytes.capacity()) {
    bytes.reserve(std::max(needed, std::min<std::size_t>(total, 2 * needed)));
  }
  bytes.append(more);
}

}  // namespace

std::string part_header(std::uint64_t remaining) {
  std::string header(kPartMagic);
  for (int shift = 56; shift >= 0; shift -= 8) {
    header += static_cast<char>(remaining >> shift & 0xffU);
  }
  return header;
}

bool PartSeries::make_room(MonoTime now) {
  if (open_.size() < kOpenMax) return true;
  std::erase_if(
      open_, [now](const auto& entry) { return now - entry.second.last_part >= kAbandonedAfter; });
  return open_.size() < kOpenMax;
}

bool PartSeries::add_part(PeerId peer, std::string_view header, std::string_view bytes,
                          MonoTime now) {
  const bool well_formed =
      header.size() == kPartHeaderBytes && !bytes.empty() && bytes.size() <= limits::kPartBytesMax;
  const std::uint64_t remaining = well_formed ? remaining_of(header) : 0;
  auto at = open_.find(peer);
  const bool fits = well_formed && remaining > bytes.size() && remaining <= limits::kBlobBytesMax &&
                    (at == open_.end() || at->second.remaining == remaining);
  if (!fits) {
    if (at != open_.end()) open_.erase(at);
    return false;
  }
  if (at == open_.end()) {
    if (!make_room(now)) return false;
    at = open_.try_emplace(peer).first;
  }
  Open& open = at->second;
  append_growing(open.bytes, bytes, open.bytes.size() + remaining);
  open.remaining = remaining - bytes.size();
  open.last_part = now;
  return true;
}

std::optional<Blob> PartSeries::finish(PeerId peer, Blob last) {
  if (open_.empty()) return last;
  const auto at = open_.find(peer);
  if (at == open_.end()) return last;
  Open open = std::move(at->second);
  open_.erase(at);
  if (open.remaining != last.size()) return std::nullopt;
  open.bytes.append(last.view());
  return Blob::from(std::move(open.bytes));
}

}  // namespace fanmill
