// What people are told who ask: the documents of PROTOCOL.md, 1.9, as msgpack.
#pragma once

#include <string>
#include <vector>

#include "broker/core/world.hpp"

namespace fanmill::broker {

std::string report_jobs(const World& world, const std::vector<const Job*>& jobs, bool at_length);
std::string report_workers(const World& world);
std::string report_status(const World& world);

}  // namespace fanmill::broker
