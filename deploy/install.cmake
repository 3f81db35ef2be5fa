# cmake --install build --prefix PREFIX: the programs, the public headers, and the CMake package `fanmill`.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Programs look for one another beside themselves.
install(TARGETS fanmill fanmill-broker fanmill-worker fanmill-executor RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# fanmill::plugin: what a plugin is compiled with; headers alone.
add_library(fanmill_plugin INTERFACE)
add_library(fanmill::plugin ALIAS fanmill_plugin)
set_target_properties(fanmill_plugin PROPERTIES EXPORT_NAME plugin)
target_compile_features(fanmill_plugin INTERFACE cxx_std_20)
target_include_directories(fanmill_plugin INTERFACE
                           $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/worker/plugin/include>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/worker/plugin/include/fanmill DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS fanmill_plugin EXPORT fanmillTargets)
include(${CMAKE_SOURCE_DIR}/producer/install.cmake)

set(fanmill_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fanmill)
install(EXPORT fanmillTargets NAMESPACE fanmill:: DESTINATION ${fanmill_package_dir})
configure_package_config_file(${CMAKE_SOURCE_DIR}/deploy/fanmillConfig.cmake.in
                              ${CMAKE_BINARY_DIR}/fanmillConfig.cmake
                              INSTALL_DESTINATION ${fanmill_package_dir} PATH_VARS CMAKE_INSTALL_FULL_BINDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/fanmillConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/fanmillConfig.cmake ${CMAKE_BINARY_DIR}/fanmillConfigVersion.cmake
              ${CMAKE_SOURCE_DIR}/deploy/fanmill_add_plugin.cmake
        DESTINATION ${fanmill_package_dir})

# systemd: the units name the programs where they are installed.
install(CODE "
  foreach(unit fanmill-broker.service fanmill-worker.service)
    file(READ \"${CMAKE_SOURCE_DIR}/deploy/systemd/\${unit}\" text)
    string(REPLACE /usr/local/bin/ \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/\" text \"\${text}\")
    file(WRITE \"${CMAKE_BINARY_DIR}/systemd/\${unit}\" \"\${text}\")
  endforeach()")
install(FILES ${CMAKE_BINARY_DIR}/systemd/fanmill-broker.service ${CMAKE_BINARY_DIR}/systemd/fanmill-worker.service
        DESTINATION lib/systemd/system)
install(FILES ${CMAKE_SOURCE_DIR}/deploy/systemd/fanmill.conf DESTINATION lib/sysusers.d)
