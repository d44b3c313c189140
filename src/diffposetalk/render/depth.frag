#version 330 core
// First two moments of the depth seen from the key light (variance shadow maps, Donnelly & Lauritzen 2006).
out vec2 moments;
void main() {
    float slope = min(length(vec2(dFdx(gl_FragCoord.z), dFdy(gl_FragCoord.z))), 0.01);
    moments = vec2(gl_FragCoord.z, gl_FragCoord.z * gl_FragCoord.z + 0.25 * slope * slope);
}
