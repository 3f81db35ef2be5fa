# What of the C++ library is installed: the archive, its headers, and what find_package(fanmill) must find for it. The
# export and the package itself: deploy/install.cmake.
install(TARGETS fanmill_client EXPORT fanmillTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/producer/include/fanmill ${CMAKE_SOURCE_DIR}/proto/include/fanmill
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_SOURCE_DIR}/deploy/fanmillClientDependencies.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/fanmill)
