#version 330 core
// Studio light on skin, eyes, teeth and hair: soft key with shadow, fill, two rims, sky and ground.
const float PI = 3.14159265;
const vec4 ROOT_WEIGHTS = vec4(0.642359, 0.712118, -0.336873, -0.017561);

uniform vec3 eye_position;      // metres
uniform vec3 key_direction;     // unit, toward the light
uniform vec3 base_color;        // linear RGB
uniform float roughness;
uniform float specular;
uniform float subsurface;
uniform bool textured;
uniform vec3 inside;            // linear RGB of the surface seen from behind
uniform sampler2D base_texture;
uniform sampler2D shadow_map;   // moments of depth

in vec3 position;
in vec3 normal;
in vec2 uv;
in vec3 tint;
in vec3 shadow_position;
out vec4 fragment;

const vec3 KEY_COLOR = vec3(2.55, 2.36, 2.12);
const vec3 FILL_COLOR = vec3(0.46, 0.52, 0.62);
const vec3 RIM_COLOR = vec3(1.5, 1.6, 1.75);
const float SOFTNESS = 0.12;    // of the key light goes round any edge
const vec3 SKY_COLOR = vec3(0.50, 0.53, 0.58);
const vec3 GROUND_COLOR = vec3(0.30, 0.235, 0.20);
const vec3 FILL_DIRECTION = normalize(vec3(-0.75, 0.12, 0.65));
const vec3 WINDOW = normalize(vec3(0.30, 0.33, 0.89));
const vec3 RIM_LEFT = normalize(vec3(-0.80, 0.35, -0.50));
const vec3 RIM_RIGHT = normalize(vec3(0.85, 0.25, -0.55));

// Share of the key light that arrives (variance shadow map; the lowest third is cut against light bleeding).
float key_visibility() {
    vec2 moments = texture(shadow_map, shadow_position.xy).rg;
    float behind = shadow_position.z - moments.x;
    if (behind <= 0.0) return 1.0;
    float variance = max(moments.y - moments.x * moments.x, 2e-6);
    float bound = variance / (variance + behind * behind);
    return clamp((bound - 0.3) / 0.7, 0.0, 1.0);
}

// Diffuse light that wraps round the shadow line, red furthest: a cheap stand-in for scattering in skin.
vec3 wrapped(float cosine) {
    vec3 wrap = subsurface * vec3(0.62, 0.30, 0.22);
    vec3 light = clamp((cosine + wrap) / (1.0 + wrap), 0.0, 1.0);
    return light * mix(vec3(1.0), light, subsurface * 0.5);
}

// GGX microfacets with Smith visibility (Karis 2013) and Schlick's Fresnel term.
float highlight(vec3 n, vec3 v, vec3 l, float nv, float alpha, float f0) {
    vec3 h = normalize(v + l);
    float nl = max(dot(n, l), 0.0), nh = max(dot(n, h), 0.0);
    float a2 = alpha * alpha;
    float d = nh * nh * (a2 - 1.0) + 1.0;
    float k = alpha * 0.5;
    float away = 1.0 - max(dot(h, v), 0.0), away2 = away * away;
    float fresnel = f0 + (1.0 - f0) * away2 * away2 * away;
    return 0.25 * nl * fresnel * a2 / (PI * d * d * (nl * (1.0 - k) + k) * (nv * (1.0 - k) + k));
}

vec3 tonemapped(vec3 x) {  // ACES filmic curve as fitted by Narkowicz (2015), then sRGB
    x *= 0.60;
    x = clamp(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0);
    // x^(1/2.4) from roots, which are several times cheaper than powers in software; right to half a grey level.
    vec3 root2 = sqrt(x), root4 = sqrt(root2), root8 = sqrt(root4);
    vec3 bright = ROOT_WEIGHTS.x * root2 + ROOT_WEIGHTS.y * root4 + ROOT_WEIGHTS.z * root8 + ROOT_WEIGHTS.w * x;
    return mix(12.92 * x, bright, step(0.0031308, x));
}

void main() {
    if (!gl_FrontFacing) {
        fragment = vec4(tonemapped(inside), 1.0);
        return;
    }
    vec3 n = normalize(normal), v = normalize(eye_position - position);
    vec4 sampled = textured ? texture(base_texture, uv) : vec4(1.0);
    vec3 albedo = base_color * sampled.rgb;
    float open_air = clamp(max(tint.r, max(tint.g, tint.b)), 0.0, 1.0);

    // The shadow map takes care of the key light; the tint shades the light that comes from all sides.
    float visible = mix(SOFTNESS, 1.0, key_visibility());
    vec3 shade = mix(vec3(visible), vec3(sqrt(visible), visible, visible), subsurface * 0.6);
    vec3 light = KEY_COLOR * shade * sqrt(tint) * wrapped(dot(n, key_direction));
    vec3 around = FILL_COLOR * wrapped(dot(n, FILL_DIRECTION));
    float rims = max(dot(n, RIM_LEFT), 0.0) + max(dot(n, RIM_RIGHT), 0.0);
    around += RIM_COLOR * (0.30 * rims);
    around += mix(GROUND_COLOR, SKY_COLOR, 0.5 + 0.5 * n.y) * mix(0.75, 1.0, visible);
    vec3 color = albedo * (light + around * tint);

    float alpha = max(roughness * roughness, 0.004);
    float f0 = 0.11 * specular;
    vec3 shine = vec3(0.0);
    if (specular > 0.15) {  // one branch for all of a surface, so the rest is not paid for
        float nv = max(dot(n, v), 0.05);
        shine = KEY_COLOR * (highlight(n, v, key_direction, nv, alpha, f0) * visible);
        shine += FILL_COLOR * highlight(n, v, FILL_DIRECTION, nv, alpha, f0);
        float edge2 = (1.0 - max(dot(n, v), 0.0)) * (1.0 - max(dot(n, v), 0.0));
        shine += RIM_COLOR * (specular * edge2 * edge2 * rims * 0.6);
        shine *= smoothstep(0.01, 0.12, albedo.r);  // painted hair has no sheen of skin
    }
    if (roughness < 0.25) {  // wet surfaces mirror a window-like soft box and a dim room
        vec3 r = reflect(-v, n);
        vec3 side = normalize(cross(vec3(0.0, 1.0, 0.0), WINDOW)), up = cross(WINDOW, side);
        vec2 at = vec2(dot(r, side), dot(r, up)) / max(dot(r, WINDOW), 0.05);
        vec2 inside = smoothstep(vec2(0.24, 0.28), vec2(0.16, 0.20), abs(at));
        float box = inside.x * inside.y * step(0.0, dot(r, WINDOW));
        float fresnel = 0.03 + 0.97 * pow(1.0 - max(dot(n, v), 0.0), 5.0);
        shine += specular * (box * mix(0.5, 1.0, visible) + fresnel * mix(0.1, 0.6, 0.5 + 0.5 * r.y) * 0.6);
    }
    fragment = vec4(tonemapped(color + shine * open_air * open_air), sampled.a);
}
