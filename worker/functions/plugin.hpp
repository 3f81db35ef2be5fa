// Functions out of shared libraries, by the C ABI of worker/plugin/include/fanmill/plugin.h.
#pragma once

#include <string>

#include "proto/error.hpp"
#include "proto/executor_frames.hpp"
#include "worker/functions/function.hpp"

namespace fanmill::worker {

// The exit code of an executor that cannot use a plugin; its last line on stderr says why.
inline constexpr int kPluginRefused = 2;

// Loads one library for the life of the process and adds what it offers. kUsage, a sentence with
// the file and the reason, and nothing added: it does not load, is no plugin, was built for another
// major version of the ABI, offers what is offered already (then the sentence says by whom), or
// something that is no function.
// `page`: says whether a job was stopped. `slot`: of the worker, from 1.
Result<void> add_plugin(Registry& registry, const std::string& file, const executor::Page* page,
                        std::uint32_t slot);

}  // namespace fanmill::worker
