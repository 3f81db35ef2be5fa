#include "producer/writers.hpp"

namespace fanmill::producer {

std::unique_ptr<RowWriter> make_writer(const WriterOptions& options) {
  switch (options.format) {
    case OutputFormat::kValues:
      return make_values_writer(options);
    case OutputFormat::kJsonLines:
      return make_json_lines_writer(options);
    case OutputFormat::kCsv:
      return make_csv_writer(options);
  }
  return nullptr;
}

}  // namespace fanmill::producer
