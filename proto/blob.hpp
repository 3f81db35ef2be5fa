// Bytes whose owner is kept alive by reference: a received message, a string, a mapped file.
// Copying a Blob copies a reference, slicing copies nothing; so a chunk crosses the broker without
// being copied.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fanmill {

class Blob {
 public:
  Blob() = default;
  Blob(std::shared_ptr<const void> owner, std::string_view bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  static Blob copy_of(std::string_view bytes) { return from(std::string(bytes)); }
  static Blob from(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    const std::string_view view = *owner;
    return {std::move(owner), view};
  }

  std::string_view view() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

  // Bytes [offset, offset + size) of this blob, sharing its owner. The caller has checked the
  // bounds.
  Blob slice(std::size_t offset, std::size_t size) const {
    return {owner_, bytes_.substr(offset, size)};
  }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view bytes_;
};

}  // namespace fanmill
