# What libfanmill.a is linked with. cppzmq is where Debian defines the target libzmq.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(cppzmq)
find_dependency(spdlog)
find_dependency(fmt)
find_dependency(roaring)
