#include "proto/executor_frames.hpp"

#include "proto/describe.hpp"
#include "proto/fields.hpp"
#include "proto/limits.hpp"
#include "proto/wire.hpp"

namespace fanmill::executor {

// Of a frame with a blob these are the fields before it; the blob is always the last element.
template <class A, wire::Of<Hello> M>
void describe(A& a, M& m) {
  a(m.version, m.uses_page, wire::at_most(m.offers, limits::kFunctionsMax));
}
template <class A, wire::Of<Done> M>
void describe(A& a, M& m) {
  a(m.position, m.count, m.outcome, m.values_bytes, m.run_ns);
}
template <class A, wire::Of<Stopped> M>
void describe(A& a, M& m) {
  a(m.position);
}
template <class A, wire::Of<Bind> M>
void describe(A& a, M& m) {
  a(m.job, m.spec);
}
template <class A, wire::Of<Work> M>
void describe(A& a, M& m) {
  a(m.job, m.position, m.first, m.count, m.skip, m.token, m.attempt);
}
template <class A, wire::Of<Forget> M>
void describe(A& a, M& m) {
  a(m.job);
}

namespace {

constexpr std::uint64_t kFirstFromExecutor = 1;
constexpr std::uint64_t kFirstToExecutor = 16;
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kFrameMax = limits::kBlobBytesMax + limits::kHeaderBytesMax;

template <class M>
concept HasBlob = requires(const M& m) { m.blob; };

void put_length(std::string& out, std::size_t at, std::size_t length) {
  FANMILL_ASSERT(length <= kFrameMax);
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    out[at + i] = static_cast<char>(length >> (8 * (kLengthBytes - 1 - i)) & 0xffU);
  }
}

// Everything but the blob's bytes, which are counted in the length.
template <class M>
void append_head(std::string& out, std::uint64_t type, const M& message) {
  const std::size_t start = out.size();
  out.append(kLengthBytes, '\0');
  {
    wire::FieldWriter writer(out, {type}, HasBlob<M> ? 1 : 0);
    describe(writer, message);
  }
  std::size_t blob_bytes = 0;
  if constexpr (HasBlob<M>) {
    blob_bytes = message.blob.size();
    wire::StringSink sink{out};
    wire::Packer(sink).pack_bin(static_cast<std::uint32_t>(blob_bytes));
  }
  put_length(out, start, out.size() - start - kLengthBytes + blob_bytes);
}

template <class Variant>
void append_as(std::uint64_t first_type, std::string& out, const Variant& message) {
  const std::uint64_t type = first_type + message.index();
  std::visit(
      [&](const auto& alternative) {
        append_head(out, type, alternative);
        if constexpr (HasBlob<std::decay_t<decltype(alternative)>>) out.append(alternative.blob);
      },
      message);
}

template <class Variant, std::size_t I = 0>
Variant decode_alternative(std::size_t index, wire::Reader& reader, std::uint64_t fields) {
  if constexpr (I == std::variant_size_v<Variant>) {
    wire::refuse(ErrorCode::kProtocol, "a frame type that this side does not receive");
  } else {
    if (index != I) return decode_alternative<Variant, I + 1>(index, reader, fields);
    Variant message(std::in_place_index<I>);
    auto& alternative = std::get<I>(message);
    constexpr bool kBlob = HasBlob<std::variant_alternative_t<I, Variant>>;
    if (kBlob && fields == 0) wire::refuse(ErrorCode::kProtocol, "no blob");
    wire::FieldReader archive(reader, fields - (kBlob ? 1 : 0));
    describe(archive, alternative);
    if constexpr (kBlob) alternative.blob = reader.bin(limits::kBlobBytesMax);
    return message;
  }
}

template <class Variant>
Result<Variant> decode_as(std::uint64_t first_type, std::string_view body) {
  return wire::guarded("executor frame", [&] {
    wire::Reader reader(body);
    const std::uint64_t elements = reader.array(limits::kHeaderBytesMax);
    if (elements == 0) wire::refuse(ErrorCode::kProtocol, "an empty array");
    const std::uint64_t type = reader.uint();
    if (type < first_type) {
      wire::refuse(ErrorCode::kProtocol, "a frame type that this side does not receive");
    }
    Variant message = decode_alternative<Variant>(static_cast<std::size_t>(type - first_type),
                                                  reader, elements - 1);
    reader.expect_end();
    return message;
  });
}

}  // namespace

void append_frame(std::string& out, const FromExecutor& message) {
  append_as(kFirstFromExecutor, out, message);
}
void append_frame(std::string& out, const ToExecutor& message) {
  append_as(kFirstToExecutor, out, message);
}

void append_frame_head(std::string& out, const Done& message) {
  constexpr std::uint64_t kDoneType = kFirstFromExecutor + 1;
  append_head(out, kDoneType, message);
}
void append_frame_head(std::string& out, const Work& message) {
  constexpr std::uint64_t kWorkType = kFirstToExecutor + 1;
  append_head(out, kWorkType, message);
}

Result<std::size_t> frame_size(std::string_view bytes) {
  if (bytes.size() < kLengthBytes) return std::size_t{0};
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(bytes[i]);
  }
  if (length > kFrameMax) {
    return fail(ErrorCode::kLimit, "executor frame longer than a frame may be");
  }
  return kLengthBytes + length;
}

Result<FromExecutor> decode_from_executor(std::string_view body) {
  return decode_as<FromExecutor>(kFirstFromExecutor, body);
}
Result<ToExecutor> decode_to_executor(std::string_view body) {
  return decode_as<ToExecutor>(kFirstToExecutor, body);
}

}  // namespace fanmill::executor
