/** For tests of networks of one's own: the conformance suite. */

export { type DescribeModelOptions, type TestFunctions, describeModel } from "@geolearn/training";
