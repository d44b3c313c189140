#version 330 core
// Positions are metres in the world frame (Y up, face toward +Z).
uniform mat4 view_projection;
uniform mat4 shadow_projection;

layout(location = 0) in vec3 in_position;
layout(location = 1) in vec3 in_normal;
layout(location = 2) in vec2 in_uv;
layout(location = 3) in vec3 in_tint;

out vec3 position;
out vec3 normal;
out vec2 uv;
out vec3 tint;
out vec3 shadow_position;

void main() {
    position = in_position;
    normal = in_normal;
    uv = in_uv;
    tint = in_tint;
    // Pushed 1.5 mm out along the normal, so that a surface does not shade itself.
    vec4 lit = shadow_projection * vec4(in_position + 0.0015 * in_normal, 1.0);
    shadow_position = lit.xyz * 0.5 + 0.5;
    gl_Position = view_projection * vec4(in_position, 1.0);
}
