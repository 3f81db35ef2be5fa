// What tests of sources have in common: an input they write themselves, and a look at what came.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "producer/combined_source.hpp"
#include "producer/input_fd.hpp"
#include "producer/source.hpp"
#include "producer/values.hpp"
#include "proto/value.hpp"

namespace fanmill::producer {

// A pipe that holds `text`; the write end is closed unless kept.
class Pipe {
 public:
  explicit Pipe(const std::string& text) {
    EXPECT_EQ(pipe(fds_), 0);
    write(text);
  }
  ~Pipe() { close_writer(); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void write(const std::string& text) {
    EXPECT_EQ(::write(fds_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (fds_[1] >= 0) close(fds_[1]);
    fds_[1] = -1;
  }
  InputFd reader() { return InputFd(fds_[0], "in"); }

 private:
  int fds_[2] = {-1, -1};
};

struct Taken {
  std::vector<std::string> tuples;  // as JSON
  Supply supply = Supply::kEnd;
  std::string error;
};

inline Taken take(TupleSource& source, std::uint64_t most = 100000) {
  Taken out;
  ChunkBuilder builder;
  while (out.tuples.size() < most) {
    const auto supply = source.fill(builder, most);
    const ChunkBuilder::Chunk chunk = builder.take();
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < chunk.tuples; ++i) {
      EXPECT_TRUE(append_json_from_msgpack(out.tuples.emplace_back(), chunk.bytes, at));
    }
    EXPECT_EQ(at, chunk.bytes.size());
    if (!supply) {
      out.error = supply.error().message;
      EXPECT_EQ(supply.error().code, ErrorCode::kMalformedInput);
      return out;
    }
    out.supply = *supply;
    if (*supply != Supply::kMore) return out;
  }
  return out;
}

using Words = std::vector<std::string>;
using Source = std::unique_ptr<TupleSource>;

inline ValueSpec list(Words words) { return {.words = std::move(words)}; }
inline ValueSpec linked(Words words) { return {.linked = true, .words = std::move(words)}; }
inline ValueSpec files(Words words) { return {.files = true, .words = std::move(words)}; }
inline ValueSpec linked_files(Words words) {
  return {.files = true, .linked = true, .words = std::move(words)};
}

inline Source opened(const InputSpec& spec) {
  auto source = open_source(spec);
  EXPECT_TRUE(source) << source.error().message;
  return source ? std::move(*source) : nullptr;
}
inline Words tuples(const InputSpec& spec) { return take(*opened(spec)).tuples; }
// Why the command line is refused.
inline std::string refusal(const InputSpec& spec) {
  const auto source = open_source(spec);
  if (source) return "it was taken";
  EXPECT_EQ(source.error().code, ErrorCode::kUsage);
  return source.error().message;
}
class TextFile {
 public:
  explicit TextFile(const std::string& text, const std::string& ending = ".txt") {
    std::string name = (std::filesystem::temp_directory_path() / "fanmill-XXXXXX").string();
    close(mkstemp(name.data()));
    path_ = name + ending;
    std::filesystem::rename(name, path_);
    std::ofstream(path_) << text;
  }
  ~TextFile() { std::filesystem::remove(path_); }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Lines of a pipe that the test writes to, as one part.
inline CombinedSource::Part streamed(Pipe& pipe, bool is_linked = false) {
  return {std::make_unique<LineValues>(pipe.reader(), TextReader::Untyped::kText), is_linked};
}
inline CombinedSource::Part listed(const Words& words, bool is_linked = false) {
  return {std::make_unique<ListedValues>(words), is_linked};
}
template <class... Parts>
Source combined(Parts&&... parts) {
  std::vector<CombinedSource::Part> all;
  (all.push_back(std::forward<Parts>(parts)), ...);
  auto source = CombinedSource::make(std::move(all));
  EXPECT_TRUE(source);
  return std::move(*source);
}

}  // namespace fanmill::producer
