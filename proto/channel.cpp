#include "proto/channel.hpp"

#include "proto/channel_io.hpp"

namespace fanmill {
namespace {

constexpr int kZeroCopyReceive = 10;  // ZMQ_ZERO_COPY_RECV: works, though zmq.h calls it draft

}  // namespace

struct ChannelContext::Impl {
  zmq::context_t context;
};

ChannelContext::ChannelContext() : impl_(std::make_unique<Impl>()) {
  // Received blobs are kept for long: they must not pin whole receive buffers.
  zmq_ctx_set(impl_->context.handle(), kZeroCopyReceive, 0);
}
ChannelContext::~ChannelContext() = default;
void* ChannelContext::handle() const { return impl_->context.handle(); }

void wait_for(std::span<pollfd> fds, std::optional<nanoseconds> timeout) {
  timespec limit{};
  if (timeout) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*timeout);
    limit = {seconds.count(), (*timeout - seconds).count()};
  }
  if (::ppoll(fds.data(), fds.size(), timeout ? &limit : nullptr, nullptr) <= 0) {
    for (pollfd& fd : fds) fd.revents = 0;
  }
}

tl::unexpected<Error> zmq_failure(const std::string& doing, const std::string& endpoint) {
  return fail(ErrorCode::kSystem,
              "cannot " + doing + " " + endpoint + ": " + zmq_strerror(zmq_errno()));
}

std::optional<Received> take(PartSeries& series, PeerId peer, zmq::message_t& header,
                             zmq::message_t& blob, std::uint64_t& dropped) {
  const std::string_view head(header.data<char>(), header.size());
  if (is_part(head)) {
    const std::string_view bytes(blob.data<char>(), blob.size());
    if (!series.add_part(peer, head, bytes, mono_now())) ++dropped;
    return std::nullopt;
  }
  std::optional<Blob> whole = series.finish(peer, blob_of(std::move(blob)));
  if (!whole || head.size() > limits::kHeaderBytesMax) {
    ++dropped;
    return std::nullopt;
  }
  return Received{peer, std::string(head), {}, std::move(*whole)};
}

}  // namespace fanmill
