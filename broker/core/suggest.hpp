// Words for people about a function that nobody offers.
#pragma once

#include <string>
#include <vector>

namespace fanmill::broker {

// "no worker offers 'slep'; did you mean 'sleep'? Offered are: echo, identity, sleep".
std::string unknown_function(const std::string& wanted, std::vector<std::string> offered);

}  // namespace fanmill::broker
