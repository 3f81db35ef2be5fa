// What `fanmill --version` prints.
#pragma once

#include <string>

namespace fanmill::producer {

// The program, the protocols that it speaks and the libraries that it runs with: where a library
// tells its version at run time that one, else the one it was compiled with.
std::string version_text();

}  // namespace fanmill::producer
