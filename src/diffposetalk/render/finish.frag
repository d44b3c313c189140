#version 330 core
// Shrink the larger picture that was drawn and lay it over a studio backdrop, lit from behind the head.
uniform sampler2D drawn;    // colour times coverage, sRGB
uniform vec2 reach;         // a quarter of a pixel's side, in texture units
uniform vec3 center_color;  // sRGB
uniform vec3 edge_color;
uniform float opacity;      // of the backdrop; below 1 the result has alpha and its colours are not premultiplied
in vec2 at;
out vec4 fragment;

void main() {
    vec2 uv = at * 0.5 + 0.5;
    vec4 head = 0.5 * (texture(drawn, uv + reach) + texture(drawn, uv - reach));
    float far = smoothstep(0.0, 1.0, length(at * vec2(0.62, 0.55) - vec2(0.0, 0.10)));
    // A fixed dither of half a grey level keeps the backdrop free of bands.
    float dither = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) - 0.5;
    vec3 wall = mix(center_color, edge_color, far) + dither / 255.0;
    float alpha = head.a + (1.0 - head.a) * opacity;
    vec3 color = head.rgb + (1.0 - head.a) * opacity * wall;
    fragment = vec4(opacity < 1.0 ? color / max(alpha, 1e-3) : color, alpha);
}
