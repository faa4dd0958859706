// Made by make_spec.py from tandem.bridge.conformance:dummy_spec; do not edit. The arm: dummy.
#pragma once

#include <array>
#include <string_view>

namespace tandem::spec {

inline constexpr std::string_view robot = "dummy";
inline constexpr std::size_t dof = 3;
inline constexpr std::array<std::string_view, dof> joint_names{{"slide_x", "slide_y", "slide_z"}};
inline constexpr std::array<double, dof> position_low{{0.2, -0.4, 0.0}};
inline constexpr std::array<double, dof> position_high{{0.8, 0.4, 0.6}};
inline constexpr std::array<double, dof> velocity_limit{{0.5, 0.5, 0.5}};
inline constexpr std::array<double, dof> acceleration_limit{{5.0, 5.0, 5.0}};
inline constexpr std::array<double, dof> jerk_limit{{50.0, 50.0, 50.0}};
inline constexpr std::array<double, dof> home{{0.4, 0.0, 0.3}};

inline constexpr std::array<std::string_view, dof + 1> action_names{{"slide_x", "slide_y", "slide_z", "gripper"}};
inline constexpr std::array<double, dof + 1> action_low{{0.2, -0.4, 0.0, 0.0}};
inline constexpr std::array<double, dof + 1> action_high{{0.8, 0.4, 0.6, 1.0}};

struct Camera {
    std::string_view name;
    std::size_t width, height;
    bool depth;
};
inline constexpr std::array<Camera, 1> cameras{{{"front", 32, 24, true}}};

// All of it, as `welcome` tells it: the msgpack of BodySpec.to_dict(), and the sha256 of its canonical JSON.
inline constexpr std::string_view digest = "d5ba02bb8b99a36fe0b2ad9779053562e7310e9965fe4f8f88c3bd73ffe60072";
inline constexpr std::string_view packed{
    "\217\245robot\245dummy\253joint_names\223\247slide_x\247slide_y\247slide_z\254position_low\223\313"
    "\077\311\231\231\231\231\231\232\313\277\331\231\231\231\231\231\232\313\000\000\000\000\000\000"
    "\000\000\255position_high\223\313\077\351\231\231\231\231\231\232\313\077\331\231\231\231\231\231"
    "\232\313\077\343333333\256velocity_limit\223\313\077\340\000\000\000\000\000\000\313\077\340\000"
    "\000\000\000\000\000\313\077\340\000\000\000\000\000\000\262acceleration_limit\223\313@\024\000\000"
    "\000\000\000\000\313@\024\000\000\000\000\000\000\313@\024\000\000\000\000\000\000\252jerk_limit"
    "\223\313@I\000\000\000\000\000\000\313@I\000\000\000\000\000\000\313@I\000\000\000\000\000\000\244"
    "home\223\313\077\331\231\231\231\231\231\232\313\000\000\000\000\000\000\000\000\313\077\3233333"
    "33\252control_hz\313@4\000\000\000\000\000\000\247cameras\221\207\244name\245front\245width \246"
    "height\030\252intrinsics\223\223\313@D\000\000\000\000\000\000\313\000\000\000\000\000\000\000\000"
    "\313@0\000\000\000\000\000\000\223\313\000\000\000\000\000\000\000\000\313@D\000\000\000\000\000"
    "\000\313@(\000\000\000\000\000\000\223\313\000\000\000\000\000\000\000\000\313\000\000\000\000\000"
    "\000\000\000\313\077\360\000\000\000\000\000\000\245mount\244base\256T_mount_camera\224\224\313\000"
    "\000\000\000\000\000\000\000\313\277\360\000\000\000\000\000\000\313\000\000\000\000\000\000\000"
    "\000\313\077\340\000\000\000\000\000\000\224\313\277\360\000\000\000\000\000\000\313\000\000\000"
    "\000\000\000\000\000\313\000\000\000\000\000\000\000\000\313\000\000\000\000\000\000\000\000\224"
    "\313\000\000\000\000\000\000\000\000\313\000\000\000\000\000\000\000\000\313\277\360\000\000\000"
    "\000\000\000\313\077\351\231\231\231\231\231\232\224\313\000\000\000\000\000\000\000\000\313\000"
    "\000\000\000\000\000\000\000\313\000\000\000\000\000\000\000\000\313\077\360\000\000\000\000\000"
    "\000\245depth\303\246action\204\245names\224\247slide_x\247slide_y\247slide_z\247gripper\243low\224"
    "\313\077\311\231\231\231\231\231\232\313\277\331\231\231\231\231\231\232\313\000\000\000\000\000"
    "\000\000\000\313\000\000\000\000\000\000\000\000\244high\224\313\077\351\231\231\231\231\231\232"
    "\313\077\331\231\231\231\231\231\232\313\077\343333333\313\077\360\000\000\000\000\000\000\244ki"
    "nd\276joint_position+gripper_opening\244stop\244hold\252kinematics\332\001\263<mujoco model=\042"
    "gantry\042><worldbody><body name=\042x\042>\012<joint name=\042slide_x\042 type=\042slide\042 ax"
    "is=\0421 0 0\042 range=\0420.2 0.8\042/><geom size=\042.01\042 mass=\0421\042/>\012<body name=\042"
    "y\042><joint name=\042slide_y\042 type=\042slide\042 axis=\0420 1 0\042 range=\042-0.4 0.4\042/>"
    "<geom size=\042.01\042 mass=\0421\042/>\012<body name=\042z\042><joint name=\042slide_z\042 type"
    "=\042slide\042 axis=\0420 0 1\042 range=\0420 0.6\042/><geom size=\042.01\042 mass=\0421\042/>\012"
    "<site name=\042tool\042 euler=\042180 0 0\042/></body></body></body></worldbody></mujoco>\251too"
    "l_site\244tool\247gripper\205\253max_width_m\313\077\264z\341G\256\024{\256finger_depth_m\313\077"
    "\224z\341G\256\024{\256finger_width_m\313\077\224z\341G\256\024{\262finger_thickness_m\313\077\204"
    "z\341G\256\024{\247force_n\313@4\000\000\000\000\000\000",
    1392};

}  // namespace tandem::spec
