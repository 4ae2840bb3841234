// SPDX-License-Identifier: Apache-2.0
/*
 * Predictions of an exported model, without Python.
 *
 *     predict LIBRARY PACKAGE INPUT OUTPUT
 *
 * LIBRARY is libgrkan_torch.so, which gives libtorch grkan's operators; the model's package asks for them by name. INPUT and OUTPUT are tensors as torch.save() and torch.load() have them. export.py makes PACKAGE and INPUT.
 */
#include <cstdio>
#include <dlfcn.h>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/csrc/jit/serialization/pickle.h>

static at::Tensor read_tensor(const char *path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error(std::string("cannot read ") + path);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return torch::jit::pickle_load(bytes).toTensor();
}

static void write_tensor(const char *path, const at::Tensor &tensor)
{
    const std::vector<char> bytes = torch::jit::pickle_save(tensor);
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file)
        throw std::runtime_error(std::string("cannot write ") + path);
}

/* Before a package that needs them is loaded. The library is never closed, since libtorch keeps its functions. */
static void load_operators(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    if (library == nullptr)
        throw std::runtime_error(dlerror());
    using function = const char *();
    auto *grkan_torch_register = reinterpret_cast<function *>(dlsym(library, "grkan_torch_register"));
    if (grkan_torch_register == nullptr)
        throw std::runtime_error(std::string(path) + " is not libgrkan_torch.so");
    if (const char *reason = grkan_torch_register())
        throw std::runtime_error(reason);
}

int main(int count, char **words)
{
    if (count != 5) {
        std::fprintf(stderr, "usage: predict LIBRARY PACKAGE INPUT OUTPUT\n");
        return 2;
    }
    try {
        load_operators(words[1]);
        const c10::InferenceMode no_gradients;
        torch::inductor::AOTIModelPackageLoader model(words[2]);
        const at::Tensor input = read_tensor(words[3]).to(model.get_metadata().at("AOTI_DEVICE_KEY"));
        write_tensor(words[4], model.run({input}).at(0).cpu());
    } catch (const std::exception &error) {
        std::fprintf(stderr, "predict: %s\n", error.what());
        return 1;
    }
    return 0;
}
