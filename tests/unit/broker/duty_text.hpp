// Duties as one line of text each, short enough to be read in rows.
#pragma once

#include <string>

#include "broker/core/duties.hpp"

namespace fanmill::broker {

std::string text_of(const StoreWrite& write);
std::string text_of(const ToProducer& message);
std::string text_of(const ToWorker& message);

}  // namespace fanmill::broker
