#include "proto/task_text.hpp"

#include <utility>

namespace fanmill {

std::string text_of(const Value& value) {
  if (const auto* text = value.as<std::string>()) return *text;
  if (const auto* bytes = value.as<Bytes>()) return bytes->data;
  if (value.is_null()) return {};
  std::string json;
  append_json(json, value);
  return json;
}

Result<TaskText> TaskText::of(const TupleView& tuple, const std::vector<std::string>& column_names,
                              TaskIndex index, std::uint32_t slot) {
  TaskText task;
  task.number = index.value + 1;
  task.slot = slot;
  for (const std::string_view raw : tuple.elements()) {
    std::size_t at = 0;
    auto value = decode_msgpack(raw, at);
    if (!value) return tl::make_unexpected(std::move(value.error()));
    task.values.push_back(text_of(*value));
  }
  task.names = tuple.named ? tuple.names() : column_names;
  return task;
}

}  // namespace fanmill
