// Messages to bytes and back: a header is the msgpack array [version, type, session, field…].
// Fields are only ever appended; a longer array is accepted and its tail ignored, a missing tail
// leaves the field's default.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "proto/error.hpp"
#include "proto/ids.hpp"
#include "proto/messages.hpp"

namespace fanmill {

template <class Message>
struct Envelope {
  SessionId session;  // zero in a hello and in answers to strangers
  Message message;
};

// What a broker can receive: the type number says which role speaks.
using ToBroker = std::variant<FromProducer, FromWorker>;

// Encoding cannot fail and replaces the contents of `out`, whose memory is reused.
void encode(std::string& out, SessionId session, const FromProducer& message);
void encode(std::string& out, SessionId session, const FromWorker& message);
void encode(std::string& out, SessionId session, const ToProducer& message);
void encode(std::string& out, SessionId session, const ToWorker& message);

// Decoding takes hostile bytes: refused with kVersion, kLimit or kProtocol; never allocates more
// than a small multiple of the input. Enumerators out of range are refused. Goodbye is of type 3
// from a producer and of type 33 from a worker.
Result<Envelope<ToBroker>> decode_to_broker(std::string_view header);
Result<Envelope<ToProducer>> decode_to_producer(std::string_view header);
Result<Envelope<ToWorker>> decode_to_worker(std::string_view header);

}  // namespace fanmill
