# fanmill_producer_core: the pure session of a producer. It links proto alone, so that it stays free of sockets,
# files, clocks and threads.
add_library(fanmill_producer_core STATIC session.cpp session_job.cpp session_push.cpp session_requests.cpp)
target_link_libraries(fanmill_producer_core PUBLIC fanmill_options fanmill_proto)
