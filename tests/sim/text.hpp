// Messages as one line each, for traces.
#pragma once

#include <string>

#include "proto/codec.hpp"
#include "proto/messages.hpp"

namespace fanmill::sim {

std::string text_of(const FromProducer& message);
std::string text_of(const FromWorker& message);
std::string text_of(const ToProducer& message);
std::string text_of(const ToWorker& message);

}  // namespace fanmill::sim
