#version 330 core
uniform mat4 shadow_projection;
layout(location = 0) in vec3 in_position;
void main() { gl_Position = shadow_projection * vec4(in_position, 1.0); }
