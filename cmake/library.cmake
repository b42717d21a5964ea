# libjanuspro, shared and static, and what `cmake --install` lays down, in three parts: the program
# with the models that ship, the shared library, and what is built against it. The library is made
# of the rooms' own objects, so that nothing is compiled twice.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(objects "")
foreach(room base io kernels model generate api)
  list(APPEND objects $<TARGET_OBJECTS:janus_${room}>)
  set_target_properties(janus_${room} PROPERTIES CXX_VISIBILITY_PRESET hidden
                                                 VISIBILITY_INLINES_HIDDEN ON)
endforeach()
set(uses Threads::Threads PNG::PNG JPEG::JPEG GIF::GIF WebP::WebP)

add_library(januspro_shared SHARED ${objects})
target_link_libraries(januspro_shared PRIVATE ${uses})
set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
target_link_options(januspro_shared PRIVATE LINKER:--version-script=${exports})
if(NOT JANUSPRO_SANITIZE AND NOT JANUSPRO_FUZZ)  # whose runtime comes with the program alone
  target_link_options(januspro_shared PRIVATE LINKER:--no-undefined)
endif()
# Before 1.0 a minor release may add fields to the structs of the C++ header, so it names the ABI.
set_target_properties(januspro_shared PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINKER_LANGUAGE CXX LINK_DEPENDS ${exports} EXPORT_NAME januspro)

add_library(januspro_static STATIC ${objects})
target_link_libraries(januspro_static INTERFACE ${uses})
set_target_properties(januspro_static PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME static)

foreach(library januspro_shared januspro_static)
  set_target_properties(${library} PROPERTIES OUTPUT_NAME januspro)
  target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

# The program finds models in share/januspro beside its bin folder.
install(TARGETS januspro COMPONENT program)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/januspro
        COMPONENT program)

install(TARGETS januspro_shared EXPORT JanusProShared
        LIBRARY COMPONENT library NAMELINK_COMPONENT development)
install(TARGETS januspro_static EXPORT JanusProStatic ARCHIVE COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/januspro DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT development)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/JanusPro)
foreach(set JanusProShared JanusProStatic)
  install(EXPORT ${set} NAMESPACE JanusPro:: DESTINATION ${package_dir} COMPONENT development)
endforeach()
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/JanusProConfig.cmake.in ${CMAKE_BINARY_DIR}/JanusProConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/JanusProConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/JanusProConfig.cmake
              ${CMAKE_BINARY_DIR}/JanusProConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindWebP.cmake
        DESTINATION ${package_dir} COMPONENT development)

# By the place of januspro.pc itself, so that a tree may be installed anywhere and moved.
file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/januspro.pc.in ${CMAKE_BINARY_DIR}/januspro.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/januspro.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)
