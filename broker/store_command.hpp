// fanmill store verify FILE: looks into a store without changing it.
#pragma once

namespace fanmill::broker {

// `argv` begins with "store". Returns the exit status: 0, 1 for a store that is not as it was
// written, 2 for wrong use, 3 where it cannot be read.
int store_command(int argc, char** argv);

}  // namespace fanmill::broker
