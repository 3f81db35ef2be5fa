// The library's failures out of what rows and brokers say.
#pragma once

#include <fanmill/detail/failure.hpp>
#include <memory>

#include "producer/row_batch.hpp"
#include "proto/error.hpp"

namespace fanmill::producer {

using FailurePtr = std::shared_ptr<const client::TaskFailure>;

// Of a task that did not succeed.
FailurePtr task_failure(const Rows& rows, const Row& row);
// Of a whole job.
FailurePtr job_failure(const Error& error);
FailurePtr closed_failure();   // the pool is gone
FailurePtr foreign_failure();  // the pool is another process's

}  // namespace fanmill::producer
