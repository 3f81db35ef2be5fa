// fanmill for C++: your function or command over many parameter tuples, on all cores, nothing lost
// to a crash. Link fanmill::client (find_package(fanmill)).
//
//   #include <fanmill/fanmill.hpp>
//
//   fanmill::Pool pool;
//   for (auto& row : pool.starmap<double>("norm", points)) …
//
// pool.hpp is where to read on. A program that makes a Pool starts processes: make it in main(),
// not in a static object.
#pragma once

#include <fanmill/failure.hpp>
#include <fanmill/fields.hpp>
#include <fanmill/future.hpp>
#include <fanmill/job.hpp>
#include <fanmill/pool.hpp>
#include <fanmill/result.hpp>
#include <fanmill/settings.hpp>
#include <fanmill/value.hpp>
