#version 330 core
// Studio backdrop, lit from behind the head; a fixed dither of half a grey level keeps it free of bands.
uniform vec3 center_color;  // sRGB
uniform vec3 edge_color;
in vec2 at;
out vec4 fragment;
void main() {
    float far = smoothstep(0.0, 1.0, length(at * vec2(0.62, 0.55) - vec2(0.0, 0.10)));
    float dither = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) - 0.5;
    fragment = vec4(mix(center_color, edge_color, far) + dither / 255.0, 1.0);
}
