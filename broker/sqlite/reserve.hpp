// A file beside the store that only takes space. When the disk is full it is removed, so that what
// has been accepted can still be committed.
#pragma once

#include <cstddef>
#include <string>

namespace fanmill::broker::sqlite {

class Reserve {
 public:
  Reserve(std::string path, std::size_t bytes) : path_(std::move(path)), bytes_(bytes) {}

  // Takes the space, if it is not taken yet. False if the disk has too little; nothing is kept
  // then.
  bool take();
  void give_up();
  bool taken() const { return taken_; }

 private:
  std::string path_;
  std::size_t bytes_;
  bool taken_ = false;
};

}  // namespace fanmill::broker::sqlite
