// Which workers can run which jobs: those that offer the function, with the signature that the job
// is bound to, and have all labels that it asks for.
#pragma once

#include <string>
#include <vector>

#include "broker/core/world.hpp"

namespace fanmill::broker {

bool has_labels(const Worker& worker, const std::vector<Label>& where);
bool can_run(const Worker& worker, const Job& job);

// A job is opened: binds it to the signature that the oldest worker offers which has its labels,
// and puts it into its line. Where there is no such worker, the first one that it is dealt to binds
// it.
void bind(World& world, Job& job);
void bind_to(World& world, Job& job, const Worker& worker);
// It is bound already, in an earlier life of the broker.
void bind_again(World& world, Job& job);
// It is over, or forgotten. May be repeated.
void unbind(World& world, Job& job);

// A worker joins, and is told of functions that others offer with another signature; it leaves.
void take_offers(World& world, Worker& worker);
void forget_offers(World& world, Worker& worker);

// The lines that share workers with this one, itself first.
const std::vector<Line::Rival>& rivals_of(World& world, Line& line);

}  // namespace fanmill::broker
