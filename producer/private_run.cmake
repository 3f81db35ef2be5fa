# Composes the three roles in one process: the only library that links all of them.
add_library(fanmill_private_run STATIC private_run.cpp)
target_link_libraries(fanmill_private_run PUBLIC fanmill_channel PRIVATE fanmill_broker_io fanmill_worker_io Threads::Threads)
