#include "proto/result_batch.hpp"

#include "proto/fields.hpp"
#include "proto/limits.hpp"
#include "proto/wire.hpp"

namespace fanmill {

template <class A, wire::Of<CapturedOutput> M>
void describe(A& a, M& m) {
  a(m.offset, wire::as_bin(m.out, limits::kBlobBytesMax),
    wire::as_bin(m.err, limits::kBlobBytesMax));
}
template <class A, wire::Of<Failure> M>
void describe(A& a, M& m) {
  a(m.code, wire::clipped(m.message, limits::kFailureMessageMax), m.exit_code, m.signal,
    wire::whole_bin(m.tuple, limits::kFailureTupleMax));
}

namespace {

// Nil stands for an empty list and for zero.
template <class T>
struct OrNil {
  T& column;
};

class ColumnWriter {
 public:
  explicit ColumnWriter(std::string& out) : sink_{out}, packer_(sink_) {}
  ColumnWriter(const ColumnWriter&) = delete;
  ColumnWriter& operator=(const ColumnWriter&) = delete;

  template <class... C>
  void operator()(const C&... columns) {
    packer_.pack_array(sizeof...(C));
    (put(columns), ...);
  }

 private:
  void put(const std::int64_t& number) { packer_.pack_int64(number); }
  void put(const OrNil<const std::uint32_t>& number) {
    number.column == 0 ? packer_.pack_nil() : packer_.pack_uint32(number.column);
  }
  template <class T>
  void put(const OrNil<const std::vector<T>>& list) {
    if (list.column.empty()) {
      packer_.pack_nil();
      return;
    }
    packer_.pack_array(static_cast<std::uint32_t>(list.column.size()));
    for (const T& element : list.column) {
      if constexpr (std::is_integral_v<T>) {
        packer_.pack_uint64(element);
      } else {
        wire::FieldWriter writer(sink_.out);
        describe(writer, element);
      }
    }
  }

  wire::StringSink sink_;
  wire::Packer packer_;
};

class ColumnReader {
 public:
  ColumnReader(wire::Reader& reader, std::uint64_t left) : reader_(reader), left_(left) {}

  template <class... C>
  void operator()(C&&... columns) {
    (take(columns), ...);
    reader_.skip(left_);
  }

 private:
  template <class C>
  void take(C& column) {
    if (left_ == 0) return;
    --left_;
    get(column);
  }
  void get(std::int64_t& number) { number = reader_.int64(); }
  void get(OrNil<std::uint32_t>& number) {
    if (reader_.take_nil()) return;
    const std::uint64_t read = reader_.uint();
    if (read > limits::kSlotsMax) wire::refuse(ErrorCode::kLimit, "a slot number is too large");
    number.column = static_cast<std::uint32_t>(read);
  }
  template <class T>
  void get(OrNil<std::vector<T>>& list) {
    if (reader_.take_nil()) return;
    const std::uint64_t count = reader_.array(limits::kWorkerWindowTasks);
    for (std::uint64_t i = 0; i < count; ++i) {
      T& element = list.column.emplace_back();
      if constexpr (std::is_integral_v<T>) {
        element = reader_.uint();
      } else {
        wire::FieldReader fields(reader_, reader_.array(limits::kHeaderBytesMax));
        describe(fields, element);
      }
    }
  }

  wire::Reader& reader_;
  std::uint64_t left_;
};

template <class A, wire::Of<ResultColumns> M>
void describe_columns(A& a, M& m) {
  a(m.start_unix_us, OrNil<std::remove_reference_t<decltype((m.run_ns))>>{m.run_ns},
    OrNil<std::remove_reference_t<decltype((m.outputs))>>{m.outputs},
    OrNil<std::remove_reference_t<decltype((m.failures))>>{m.failures},
    OrNil<std::remove_reference_t<decltype((m.slot))>>{m.slot});
}

}  // namespace

void append_columns(std::string& out, const ResultColumns& columns) {
  if (columns == ResultColumns{}) return;
  ColumnWriter writer(out);
  describe_columns(writer, columns);
}

Result<ResultColumns> decode_columns(std::string_view bytes) {
  return wire::guarded("columns of a result batch", [&] {
    ResultColumns columns;
    if (bytes.empty()) return columns;
    wire::Reader reader(bytes);
    ColumnReader archive(reader, reader.array(limits::kHeaderBytesMax));
    describe_columns(archive, columns);
    reader.expect_end();
    for (std::size_t i = 1; i < columns.outputs.size(); ++i) {
      if (columns.outputs[i].offset <= columns.outputs[i - 1].offset) {
        wire::refuse(ErrorCode::kProtocol, "outputs are not in order");
      }
    }
    return columns;
  });
}

}  // namespace fanmill
