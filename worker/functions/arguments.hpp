// The arguments of a built-in function: matched by position or name, checked, with errors that name
// the function, its signature and what was wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/result_batch.hpp"
#include "proto/tuple_view.hpp"
#include "proto/value.hpp"

namespace fanmill::worker {

// "sleep(seconds): the tuple is empty"
Failure bad_arguments(std::string_view function, std::string_view signature, std::string_view what);

class Arguments {
 public:
  // `signature`: as offered. `column_names`: of the elements of positional tuples (JobSpec::names);
  // they go to parameters as bind_elements() of proto/signature.hpp has it.
  Arguments(std::string function, std::string_view signature,
            const std::vector<std::string>& column_names);

  // One value per parameter, in their order.
  tl::expected<Array, Failure> take(const TupleView& tuple) const;
  // Of what take() gave: a finite number of seconds, not negative.
  tl::expected<double, Failure> duration(const Array& values, std::size_t parameter) const;

 private:
  Failure bad(std::string_view what) const;

  std::string function_;
  std::vector<std::string> parameters_;
  std::string signature_;
  std::vector<std::size_t> columns_;  // where a positional tuple holds each parameter
  std::size_t columns_count_ = 0;
  std::string unfit_;  // why the names do not go with the parameters
};

}  // namespace fanmill::worker
