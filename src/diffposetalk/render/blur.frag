#version 330 core
// One direction of a Gaussian: wide shadows' soft edges. Pairs of texels are fetched by one linear lookup.
uniform sampler2D source;
uniform vec2 stride;  // one texel along the direction, in texture units
in vec2 at;
out vec2 moments;
void main() {
    vec2 uv = at * 0.5 + 0.5;
    moments = 0.2270270 * texture(source, uv).rg;
    moments += 0.3162162 * (texture(source, uv + 1.3846154 * stride).rg + texture(source, uv - 1.3846154 * stride).rg);
    moments += 0.0702703 * (texture(source, uv + 3.2307692 * stride).rg + texture(source, uv - 3.2307692 * stride).rg);
}
