#include "proto/codec.hpp"

#include <array>
#include <utility>

#include "proto/describe.hpp"
#include "proto/limits.hpp"
#include "proto/wire.hpp"

namespace fanmill {
namespace {

// Type numbers: a direction's first one, then the order of its variant.
constexpr std::uint64_t kFirstFromProducer = 1;
constexpr std::uint64_t kFirstFromWorker = 31;
constexpr std::uint64_t kFirstToProducer = 61;
constexpr std::uint64_t kFirstToWorker = 91;
constexpr std::uint64_t kLeadFields = 3;  // version, type, session

template <class Variant>
void encode_as(std::uint64_t first_type, std::string& out, SessionId session,
               const Variant& message) {
  out.clear();
  const std::uint64_t type = first_type + message.index();
  std::visit(
      [&](const auto& alternative) {
        wire::FieldWriter writer(out, {kProtocolVersion, type, session.value});
        describe(writer, alternative);
      },
      message);
}

template <class Variant, std::size_t I>
Variant decode_alternative(wire::Reader& reader, std::uint64_t fields) {
  Variant message(std::in_place_index<I>);
  wire::FieldReader archive(reader, fields);
  describe(archive, std::get<I>(message));
  return message;
}

template <class Variant, std::size_t... I>
Variant decode_index(std::size_t index, wire::Reader& reader, std::uint64_t fields,
                     std::index_sequence<I...>) {
  using Decode = Variant (*)(wire::Reader&, std::uint64_t);
  static constexpr std::array<Decode, sizeof...(I)> kDecoders = {
      &decode_alternative<Variant, I>...};
  return kDecoders[index](reader, fields);
}

struct Lead {
  std::uint64_t type;
  SessionId session;
  std::uint64_t fields;  // that follow
};

Lead read_lead(wire::Reader& reader) {
  if (reader.left() > limits::kHeaderBytesMax) {
    wire::refuse(ErrorCode::kLimit, "longer than a header may be");
  }
  const std::uint64_t elements = reader.array(limits::kHeaderBytesMax);
  if (elements == 0) wire::refuse(ErrorCode::kProtocol, "an empty array");
  if (reader.uint() != kProtocolVersion) wire::refuse(ErrorCode::kVersion, "another version");
  if (elements < kLeadFields) wire::refuse(ErrorCode::kProtocol, "no type or session");
  Lead lead{};
  lead.type = reader.uint();
  lead.session.value = reader.uint();
  lead.fields = elements - kLeadFields;
  return lead;
}

template <class Variant>
bool is_of(std::uint64_t type, std::uint64_t first_type) {
  return type >= first_type && type - first_type < std::variant_size_v<Variant>;
}

template <class Variant>
Variant decode_as(std::uint64_t first_type, const Lead& lead, wire::Reader& reader) {
  if (!is_of<Variant>(lead.type, first_type)) {
    wire::refuse(ErrorCode::kProtocol, "a message type that this side does not receive");
  }
  Variant message =
      decode_index<Variant>(static_cast<std::size_t>(lead.type - first_type), reader, lead.fields,
                            std::make_index_sequence<std::variant_size_v<Variant>>());
  reader.expect_end();
  return message;
}

constexpr const char* kWhat = "header of a message";

// Of another version the number is told: whoever reads it must know which side to bring up to date.
template <class Decode>
auto decode_header(std::string_view header, Decode&& decode) {
  auto result = wire::guarded(kWhat, decode);
  if (!result && result.error().code == ErrorCode::kVersion) {
    wire::Reader reader(header);
    reader.array(limits::kHeaderBytesMax);
    result = fail(ErrorCode::kVersion,
                  "wire protocol " + std::to_string(reader.uint()) + " was spoken where " +
                      std::to_string(kProtocolVersion) +
                      " is known; install the same release of fanmill on both hosts");
  }
  return result;
}

}  // namespace

void encode(std::string& out, SessionId session, const FromProducer& message) {
  encode_as(kFirstFromProducer, out, session, message);
}
void encode(std::string& out, SessionId session, const FromWorker& message) {
  encode_as(kFirstFromWorker, out, session, message);
}
void encode(std::string& out, SessionId session, const ToProducer& message) {
  encode_as(kFirstToProducer, out, session, message);
}
void encode(std::string& out, SessionId session, const ToWorker& message) {
  encode_as(kFirstToWorker, out, session, message);
}

Result<Envelope<ToBroker>> decode_to_broker(std::string_view header) {
  return decode_header(header, [&]() -> Envelope<ToBroker> {
    wire::Reader reader(header);
    const Lead lead = read_lead(reader);
    if (is_of<FromWorker>(lead.type, kFirstFromWorker)) {
      return {lead.session, decode_as<FromWorker>(kFirstFromWorker, lead, reader)};
    }
    return {lead.session, decode_as<FromProducer>(kFirstFromProducer, lead, reader)};
  });
}

Result<Envelope<ToProducer>> decode_to_producer(std::string_view header) {
  return decode_header(header, [&]() -> Envelope<ToProducer> {
    wire::Reader reader(header);
    const Lead lead = read_lead(reader);
    return {lead.session, decode_as<ToProducer>(kFirstToProducer, lead, reader)};
  });
}

Result<Envelope<ToWorker>> decode_to_worker(std::string_view header) {
  return decode_header(header, [&]() -> Envelope<ToWorker> {
    wire::Reader reader(header);
    const Lead lead = read_lead(reader);
    return {lead.session, decode_as<ToWorker>(kFirstToWorker, lead, reader)};
  });
}

}  // namespace fanmill
